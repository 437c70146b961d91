//! Archives that are the same whenever they are made of the same files.

use std::fs::{self, File, Permissions};
use std::io::Write as _;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::Command;

use flate2::{Compression, GzBuilder};

use super::Release;
use crate::process;

/// The mode of programs and folders, and that of other files.
const RUNS: u32 = 0o755;
const READS: u32 = 0o644;

/// Compresses a text. The result has neither a name nor a time in it.
pub(super) fn gzip(text: &[u8]) -> anyhow::Result<Vec<u8>> {
    let mut writer = GzBuilder::new().mtime(0).write(Vec::new(), Compression::best());
    writer.write_all(text)?;
    Ok(writer.finish()?)
}

/// Packs a folder. Its files belong to root, and are sorted.
pub(super) fn tar(folder: &Path, to: &Path, release: &Release) -> anyhow::Result<()> {
    let scratch = to.with_extension("unfinished");
    let mut tar = process::at_root("tar");
    tar.args(["--sort=name", "--owner=0", "--group=0", "--numeric-owner", "--format=gnu"]);
    tar.arg(format!("--mtime=@{}", release.epoch)).arg("--create").arg("--file").arg(&scratch);
    tar.arg("--directory").arg(folder.parent().unwrap_or(folder));
    tar.arg(folder.file_name().unwrap_or_default());
    process::run(&mut tar)?;
    let packed = fs::read(&scratch)?;
    fs::remove_file(&scratch)?;
    File::create(to)?.write_all(&gzip(&packed)?)?;
    Ok(())
}

/// Gives folders and files of a package their modes, whatever those of the source are. `programs` are
/// paths below the folder.
pub(super) fn set_modes(folder: &Path, programs: &[&str]) -> anyhow::Result<()> {
    fs::set_permissions(folder, Permissions::from_mode(RUNS))?;
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        if path.is_dir() {
            set_modes(&path, programs)?;
        } else {
            let is_program = programs.iter().any(|program| path.ends_with(program));
            let mode = if is_program { RUNS } else { READS };
            fs::set_permissions(&path, Permissions::from_mode(mode))?;
        }
    }
    Ok(())
}

/// Copies a program without its debugging information, if the machine has the tool.
pub(super) fn strip(from: &Path, to: &Path) -> anyhow::Result<()> {
    super::copy(from, to)?;
    // A release has none. A program for another processor is left as it is.
    let _ = process::succeeds(Command::new("strip").arg(to));
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_archive_does_not_depend_on_when_and_how_its_files_were_written() {
        let release = Release { version: "1.0.0".into(), notes: String::new(), epoch: 1_000_000 };
        let packed = |names: [&str; 2], mode: u32| {
            let scratch = tempfile::tempdir().unwrap();
            let folder = scratch.path().join("octopoid-1.0.0");
            fs::create_dir(&folder).unwrap();
            for name in names {
                fs::write(folder.join(name), name).unwrap();
                fs::set_permissions(folder.join(name), Permissions::from_mode(mode)).unwrap();
            }
            set_modes(&folder, &["a"]).unwrap();
            let to = scratch.path().join("a.tar.gz");
            tar(&folder, &to, &release).unwrap();
            fs::read(to).unwrap()
        };
        assert!(packed(["a", "b"], 0o600) == packed(["b", "a"], 0o666));
    }
}
