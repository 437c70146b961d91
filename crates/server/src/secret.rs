//! Secrets from the environment, or from files that it names, as container platforms provide them.

use std::{env, fmt, fs};

use anyhow::{Context, bail};

/// A text that is not shown.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Secret(pub(crate) String);

impl fmt::Debug for Secret {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Secret")
    }
}

/// Reads the variable, or the file that the variable with `_FILE` at its end names. Blanks around
/// the text are no part of it, and an empty variable is not set.
pub(crate) fn read(name: &str) -> anyhow::Result<Option<Secret>> {
    read_from(name, |name| env::var(name).ok())
}

fn read_from(
    name: &str,
    variable: impl Fn(&str) -> Option<String>,
) -> anyhow::Result<Option<Secret>> {
    let set = |name: &str| variable(name).map(|text| text.trim().to_owned());
    let set = |name: &str| set(name).filter(|text| !text.is_empty());
    let file_name = format!("{name}_FILE");
    match (set(name), set(&file_name)) {
        (Some(_), Some(_)) => bail!("{name} and {file_name} are both set: unset one of them"),
        (Some(text), None) => Ok(Some(Secret(text))),
        (None, Some(path)) => {
            let text = fs::read_to_string(&path)
                .with_context(|| format!("cannot read {path}, which {file_name} names"))?;
            let text = text.trim();
            if text.is_empty() {
                bail!("{path}, which {file_name} names, is empty");
            }
            Ok(Some(Secret(text.to_owned())))
        }
        (None, None) => Ok(None),
    }
}

#[cfg(test)]
mod tests {
    use std::{fs, path::Path};

    use super::{Secret, read_from};

    fn read(text: Option<&str>, file: Option<&Path>) -> Result<Option<Secret>, String> {
        let read = read_from("KEY", |name| match name {
            "KEY" => text.map(str::to_owned),
            "KEY_FILE" => file.map(|path| path.display().to_string()),
            _ => None,
        });
        read.map_err(|error| format!("{error:#}"))
    }

    #[test]
    fn a_secret_is_in_a_variable_or_in_a_file() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("key");
        fs::write(&path, "geheim\n").unwrap();
        let secret = Some(Secret("geheim".to_owned()));
        assert_eq!(read(None, None), Ok(None));
        assert_eq!(read(Some(" "), None), Ok(None));
        assert_eq!(read(Some("geheim "), None), Ok(secret.clone()));
        assert_eq!(read(None, Some(&path)), Ok(secret.clone()));
        assert_eq!(read(Some(""), Some(&path)), Ok(secret));
        let both = read(Some("a"), Some(&path));
        assert_eq!(both, Err("KEY and KEY_FILE are both set: unset one of them".to_owned()));
        fs::write(&path, "\n").unwrap();
        assert!(read(None, Some(&path)).unwrap_err().ends_with("which KEY_FILE names, is empty"));
        let none = read(None, Some(&folder.path().join("none"))).unwrap_err();
        assert!(none.starts_with("cannot read ") && none.contains("KEY_FILE"), "{none}");
    }
}
