//! `octopoid board`: a link to the board in a browser.

use std::{
    fs::DirBuilder,
    io::{self, Write as _},
    os::unix::fs::DirBuilderExt as _,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use tempfile::NamedTempFile;

use crate::{
    board::Link,
    failure::{Failure, Outcome},
    output::{Cell, Noun, Times},
    session::{Run, Session},
    settings::state_folder,
};

/// What opens an address with the program of the user's choice.
const OPENER: &str = if cfg!(target_os = "macos") { "open" } else { "xdg-open" };

impl Noun for Link {
    const MANY: &'static str = "links";
    const COLUMNS: &'static [&'static str] = &["URL", "EXPIRES"];

    fn example() -> Self {
        Self { url: String::new(), expires_at: None }
    }

    fn id(&self) -> String {
        self.url.clone()
    }

    fn cells(&self, times: &Times) -> Vec<Cell> {
        vec![Cell::new(&self.url), times.maybe(self.expires_at)]
    }
}

/// The arguments of `board`.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Open the link in the browser, through a file that only its owner can read.
    #[arg(long)]
    open: bool,
}

impl Run for Args {
    async fn run(&self, session: &Session) -> Outcome {
        let printer = session.output.of::<Link>()?;
        let settings = &session.settings;
        let server = &settings.server.value;
        let link = if settings.key.is_some() {
            Link::signing_in(&session.client, server, &session.scope().await?).await?
        } else {
            let scope = settings.scope.as_ref().map(|scope| scope.value.as_str());
            Link::plain(server, scope)
        };
        printer.changed(&link, &link.url)?;
        if self.open { open(&link.url) } else { Ok(()) }
    }
}

/// Opens an address in the browser. Every user of the machine can see command lines, so the browser
/// gets a file that redirects to the address.
fn open(url: &str) -> Outcome {
    let page = write(&state_folder()?, url).map_err(|error| {
        Failure::other(format!("cannot write a file that leads to the link: {error}"))
            .remedy("open the link in a browser yourself")
    })?;
    let mut command = Command::new(OPENER);
    command.arg(page).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    let why = match command.status() {
        Ok(status) if status.success() => return Ok(()),
        Ok(status) => status.to_string(),
        Err(error) => error.to_string(),
    };
    Err(Failure::other(format!("{OPENER} cannot open the link: {why}"))
        .remedy("open the link in a browser yourself"))
}

/// Writes a page that leads to an address, in place of the last one. The file stays, because the
/// browser may read it later.
fn write(folder: &Path, url: &str) -> io::Result<PathBuf> {
    DirBuilder::new().recursive(true).mode(0o700).create(folder)?;
    let url = url.replace('&', "&amp;").replace('"', "&quot;").replace('<', "&lt;");
    let mut file = NamedTempFile::new_in(folder)?;
    file.write_all(
        format!(
            "<!doctype html>\n<meta charset=\"utf-8\">\n<title>Octopoid</title>\n\
             <meta http-equiv=\"refresh\" content=\"0; url={url}\">\n\
             <a href=\"{url}\">The board</a>\n"
        )
        .as_bytes(),
    )?;
    let path = folder.join("board.html");
    file.persist(&path)?;
    Ok(path)
}
