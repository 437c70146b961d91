//! Lists the files in `dist/assets`, compresses them, and writes the table that `src/lib.rs`
//! includes.

use std::{
    env,
    fmt::Write as _,
    fs,
    io::Write as _,
    path::{Path, PathBuf},
};

use anyhow::{Context as _, bail};
use flate2::{Compression, write::GzEncoder};

/// Where the build of the board puts what its page loads.
const ASSETS: &str = "dist/assets";

fn main() -> anyhow::Result<()> {
    println!("cargo::rerun-if-changed={ASSETS}");
    let root = PathBuf::from(env::var("CARGO_MANIFEST_DIR")?).join(ASSETS);
    let out = PathBuf::from(env::var("OUT_DIR")?);
    let mut table = "[\n".to_owned();
    for (index, path) in files(&root)?.iter().enumerate() {
        let entry = entry(&root, path, &out.join(format!("{index}.gz")))?;
        writeln!(table, "{entry},")?;
    }
    table.push_str("]\n");
    fs::write(out.join("assets.rs"), table).context("writing the table")
}

/// All files below a directory, in the order of their names.
fn files(directory: &Path) -> anyhow::Result<Vec<PathBuf>> {
    let reading = || format!("reading {}", directory.display());
    let mut found = Vec::new();
    for entry in fs::read_dir(directory).with_context(reading)? {
        let path = entry.with_context(reading)?.path();
        if path.is_dir() { found.extend(files(&path)?) } else { found.push(path) }
    }
    found.sort();
    Ok(found)
}

/// The line of a file in the table: its name below `root`, and what is served of it.
fn entry(root: &Path, path: &Path, compressed: &Path) -> anyhow::Result<String> {
    let content = fs::read(path).with_context(|| format!("reading {}", path.display()))?;
    let mut gzip = GzEncoder::new(Vec::new(), Compression::best());
    gzip.write_all(&content)?;
    let shorter = gzip.finish()?;
    let gzip = if shorter.len() < content.len() {
        fs::write(compressed, shorter)
            .with_context(|| format!("writing {}", compressed.display()))?;
        format!("Some(include_bytes!({}))", literal(compressed)?)
    } else {
        "None".to_owned()
    };
    let name = path.strip_prefix(root)?.to_string_lossy().replace('\\', "/");
    let content_type = content_type(path)?;
    Ok(format!(
        "({name:?}, Asset {{ content_type: \"{content_type}\", \
         content: include_bytes!({}), gzip: {gzip} }})",
        literal(path)?
    ))
}

/// A path as a literal of Rust.
fn literal(path: &Path) -> anyhow::Result<String> {
    let text = path.to_str().with_context(|| format!("{} is not UTF-8", path.display()))?;
    Ok(format!("{text:?}"))
}

/// The content type by the end of the name.
fn content_type(path: &Path) -> anyhow::Result<&'static str> {
    let extension = path.extension().unwrap_or_default().to_string_lossy();
    Ok(match &*extension {
        "js" => "text/javascript; charset=utf-8",
        "css" => "text/css; charset=utf-8",
        "svg" => "image/svg+xml",
        _ => bail!("{}: add the content type of such files to build.rs", path.display()),
    })
}
