//! What the program says about itself: pages for man, and completions.

use std::fs;
use std::path::{Path, PathBuf};

use super::Binary;
use crate::process;

/// The shells whose completions are in packages, and what each calls the file.
pub(super) const SHELLS: [(&str, &str); 3] =
    [("bash", "octopoid"), ("zsh", "_octopoid"), ("fish", "octopoid.fish")];

/// The pages and completions, in a folder.
pub(super) struct Manual {
    folder: PathBuf,
}

impl Manual {
    /// Has the program write them.
    pub(super) fn write(binary: &Binary, folder: &Path) -> anyhow::Result<Self> {
        process::run(process::at_root(&binary.path).arg("man").arg(folder))?;
        for (shell, name) in SHELLS {
            let text = process::read(process::at_root(&binary.path).args(["completions", shell]))?;
            fs::write(folder.join(name), text)?;
        }
        Ok(Self { folder: folder.to_owned() })
    }

    /// The pages, in the order of their names.
    pub(super) fn pages(&self) -> anyhow::Result<Vec<PathBuf>> {
        let files = fs::read_dir(self.folder.join("man1"))?;
        let mut pages = files.map(|file| Ok(file?.path())).collect::<anyhow::Result<Vec<_>>>()?;
        pages.sort();
        Ok(pages)
    }

    /// The file with the completions for a shell, by its name in [`SHELLS`].
    pub(super) fn completions(&self, name: &str) -> PathBuf {
        self.folder.join(name)
    }
}
