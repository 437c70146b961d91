//! The board: the page that the server shows in a browser, and the files that the page loads.
//!
//! Its source is in `web`, and its build in `dist`, which is checked in: a server is compiled
//! without Node.js. Unreferenced data is not linked, so a Worker, which never calls [`asset`],
//! has the page only; its files are static assets of its deployment.

/// The page. It is the same for all paths of the board.
pub const PAGE: &str = include_str!("../dist/index.html");

/// The paths of the files begin with this.
pub const ASSETS: &str = "/assets/";

/// A file that the page loads.
#[derive(Debug)]
pub struct Asset {
    /// The value of `Content-Type`.
    pub content_type: &'static str,
    /// The file.
    pub content: &'static [u8],
    /// The same compressed with gzip, if that is shorter.
    pub gzip: Option<&'static [u8]>,
}

/// The files by their names.
static TABLE: &[(&str, Asset)] = &include!(concat!(env!("OUT_DIR"), "/assets.rs"));

/// The file at this path, which begins with [`ASSETS`].
pub fn asset(path: &str) -> Option<&'static Asset> {
    let name = path.strip_prefix(ASSETS)?;
    TABLE.iter().find(|(known, _)| *known == name).map(|(_, asset)| asset)
}

/// The paths of all files.
pub fn asset_paths() -> impl Iterator<Item = String> {
    TABLE.iter().map(|(name, _)| format!("{ASSETS}{name}"))
}

#[cfg(test)]
mod tests {
    use super::{ASSETS, PAGE, asset, asset_paths};

    #[test]
    fn every_file_that_the_page_names_is_there() {
        let named: Vec<_> = PAGE.split('"').filter(|part| part.starts_with(ASSETS)).collect();
        assert!(!named.is_empty(), "the page loads nothing");
        for path in named {
            assert!(asset(path).is_some(), "{path}");
        }
    }

    #[test]
    fn files_are_found_by_their_whole_paths_only() {
        for path in asset_paths() {
            assert!(asset(&path).is_some(), "{path}");
            for other in [&path[1..], &path[ASSETS.len()..], &format!("{path}/")] {
                assert!(asset(other).is_none(), "{other}");
            }
        }
        for path in ["", "/", ASSETS, "/assets/../index.html", "/assets/nothing.js"] {
            assert!(asset(path).is_none(), "{path}");
        }
    }

    #[test]
    fn compressed_files_are_gzip_and_shorter() {
        for path in asset_paths() {
            let asset = asset(&path).unwrap();
            assert!(!asset.content.is_empty(), "{path}");
            if let Some(gzip) = asset.gzip {
                assert!(gzip.starts_with(&[0x1f, 0x8b]), "{path}");
                assert!(gzip.len() < asset.content.len(), "{path}");
            }
        }
    }
}
