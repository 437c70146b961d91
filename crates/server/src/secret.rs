//! Secrets from the environment, or from files that it names, as container platforms provide them.

use std::{env, fmt, fs};

use anyhow::{Context, ensure};

/// A text that is not shown.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Secret(pub(crate) String);

impl fmt::Debug for Secret {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Secret")
    }
}

/// Refuses a variable that is set beside the one that names a file.
pub(crate) fn check(name: &str) -> anyhow::Result<()> {
    set_of(name, |name| env::var(name).ok()).map(drop)
}

/// Where the text is: the variable, or the file that another names.
pub(crate) fn origin(name: &str) -> String {
    match set_of(name, |name| env::var(name).ok()) {
        Ok((_, Some(path))) => format!("{path}, which {name}_FILE names"),
        _ => name.to_owned(),
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
    let (text, path) = set_of(name, variable)?;
    let Some(path) = path else { return Ok(text.map(Secret)) };
    let text = fs::read_to_string(&path)
        .with_context(|| format!("cannot read {path}, which {name}_FILE names"))?;
    let text = text.trim();
    ensure!(!text.is_empty(), "{path}, which {name}_FILE names, is empty");
    Ok(Some(Secret(text.to_owned())))
}

/// The variable's text, and the path of the other one. At most one of them is set.
fn set_of(
    name: &str,
    variable: impl Fn(&str) -> Option<String>,
) -> anyhow::Result<(Option<String>, Option<String>)> {
    let set = |name: &str| variable(name).map(|text| text.trim().to_owned());
    let set = |name: &str| set(name).filter(|text| !text.is_empty());
    let (text, path) = (set(name), set(&format!("{name}_FILE")));
    ensure!(
        text.is_none() || path.is_none(),
        "{name} and {name}_FILE are both set: unset one of them"
    );
    Ok((text, path))
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
