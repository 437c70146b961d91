//! `SHA256SUMS`, which `sha256sum --check` reads.

use std::fmt::Write as _;
use std::fs;
use std::path::Path;

use sha2::{Digest as _, Sha256};

/// The name of the file.
pub(super) const FILE: &str = "SHA256SUMS";

/// Writes the checksums of all files of a folder into one more.
pub(super) fn write(folder: &Path) -> anyhow::Result<()> {
    let mut names = Vec::new();
    for entry in fs::read_dir(folder)? {
        names.push(entry?.file_name().to_string_lossy().into_owned());
    }
    names.retain(|name| name != FILE);
    names.sort();
    let mut text = String::new();
    for name in names {
        let sum = hex::encode(Sha256::digest(fs::read(folder.join(&name))?));
        writeln!(text, "{sum}  {name}")?;
    }
    Ok(fs::write(folder.join(FILE), text)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_file_has_its_sum_and_the_file_of_sums_has_none() {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("b"), "").unwrap();
        fs::write(folder.path().join("a"), "abc").unwrap();
        for _ in 0..2 {
            write(folder.path()).unwrap();
        }
        let text = fs::read_to_string(folder.path().join(FILE)).unwrap();
        let abc = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
        let nothing = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
        assert_eq!(text, format!("{abc}  a\n{nothing}  b\n"));
    }
}
