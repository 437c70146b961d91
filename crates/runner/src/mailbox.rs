//! The files by which an agent and its runner talk: how the run ends, how far it is, what the next
//! run should know, and what people write meanwhile.
//!
//! They are in a folder of the work tree that git ignores, because a sandboxed agent can write only
//! there. What an agent puts in their place is not trusted: links and pipes are not followed, and no
//! more is read than the limit.

use std::{
    fs::{self, OpenOptions},
    io::{self, Read as _, Write as _},
    os::unix::fs::OpenOptionsExt as _,
    path::{Path, PathBuf},
};

use octopoid_domain::{
    input::Prose,
    message::Message,
    report::{CHECKPOINT_BYTES_MAX, MESSAGE_BYTES_MAX, NewProgress},
    text::cut,
};
use rustix::fs::OFlags;
use serde_json::{Value, json};

/// Bytes of the progress file that are read.
const PROGRESS_BYTES_MAX: usize = 4 << 10;

/// How the agent says that its run ends: the first line of the outcome file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Word {
    /// The work is done. It still needs evidence.
    Done,
    /// There was nothing to change.
    NoChange,
    /// Something else must happen first.
    Blocked,
    /// A person must decide something.
    NeedsInput,
    /// The work cannot be done like this.
    Failed,
    /// A reviewer accepts the work.
    Accept,
    /// A reviewer rejects the work.
    Reject,
}

impl Word {
    fn parse(word: &str) -> Option<Self> {
        match word.trim().to_ascii_lowercase().replace('-', "_").as_str() {
            "done" => Some(Self::Done),
            "no_change" => Some(Self::NoChange),
            "blocked" => Some(Self::Blocked),
            "needs_input" => Some(Self::NeedsInput),
            "failed" => Some(Self::Failed),
            "accept" => Some(Self::Accept),
            "reject" => Some(Self::Reject),
            _ => None,
        }
    }
}

/// What the agent says about the end of its run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Said {
    /// The first line.
    pub word: Word,
    /// The other lines, cut to 4 KiB.
    pub message: String,
}

impl Said {
    /// Reads the text of an outcome file. A first line that is not one of the words says nothing.
    pub fn parse(text: &str) -> Option<Self> {
        let (first, rest) = text.split_once('\n').unwrap_or((text, ""));
        let word = Word::parse(first)?;
        Some(Self { word, message: cut(rest.trim(), MESSAGE_BYTES_MAX).to_owned() })
    }

    /// The verdict in the last text of a reviewer that cannot write files: a line
    /// `VERDICT: accept` or `VERDICT: reject`, the last one if there are several. The rest of the
    /// text is the reason.
    pub fn of_verdict(text: &str) -> Option<Self> {
        let verdict = |line: &str| {
            let line = line.trim().trim_matches(['*', '`']);
            let word = Word::parse(line.strip_prefix("VERDICT:")?.trim_matches(['*', '`', ' ']))?;
            matches!(word, Word::Accept | Word::Reject).then_some(word)
        };
        let word = text.lines().rev().find_map(verdict)?;
        let reason: Vec<_> = text.lines().filter(|line| verdict(line).is_none()).collect();
        let message = cut(reason.join("\n").trim(), MESSAGE_BYTES_MAX).to_owned();
        Some(Self { word, message })
    }
}

/// The folder with the files of one run.
#[derive(Clone, Debug)]
pub struct Mailbox {
    folder: PathBuf,
}

impl Mailbox {
    /// Empties the folder of what an earlier run left, and prepares it.
    pub fn create(folder: &Path) -> io::Result<Self> {
        let mailbox = Self { folder: folder.to_owned() };
        fs::create_dir_all(folder)?;
        let [outcome, progress, checkpoint, messages] = [
            mailbox.outcome_file(),
            mailbox.progress_file(),
            mailbox.checkpoint_file(),
            mailbox.messages_file(),
        ];
        for file in [outcome, progress, checkpoint, messages] {
            remove(&file)?;
        }
        Ok(mailbox)
    }

    /// Where the agent writes how its run ends.
    pub fn outcome_file(&self) -> PathBuf {
        self.folder.join("outcome")
    }

    /// Where the agent writes what it does, and how far it is.
    pub fn progress_file(&self) -> PathBuf {
        self.folder.join("progress")
    }

    /// Where the agent writes what the next run should know.
    pub fn checkpoint_file(&self) -> PathBuf {
        self.folder.join("checkpoint")
    }

    /// Where the agent finds what people write to it: a JSON object in each line.
    pub fn messages_file(&self) -> PathBuf {
        self.folder.join("messages")
    }

    /// What the agent says about the end of its run, if it says anything.
    pub fn outcome(&self) -> Option<Said> {
        Said::parse(&read(&self.outcome_file(), MESSAGE_BYTES_MAX + 64)?)
    }

    /// What the agent does: the last line of the file. `65% running tests` has a percentage too.
    pub fn progress(&self) -> Option<NewProgress> {
        progress(&read(&self.progress_file(), PROGRESS_BYTES_MAX)?)
    }

    /// What the next run should know: JSON, or any text. A larger one is not kept, because half of
    /// it would mislead.
    pub fn checkpoint(&self) -> Option<Value> {
        let text = read(&self.checkpoint_file(), CHECKPOINT_BYTES_MAX + 1)?;
        let text = text.trim();
        if text.is_empty() {
            return None;
        }
        let value = serde_json::from_str(text).unwrap_or_else(|_| Value::from(text));
        (value.to_string().len() <= CHECKPOINT_BYTES_MAX).then_some(value)
    }

    /// Appends messages for the agent.
    pub fn deliver(&self, messages: &[Message]) -> io::Result<()> {
        let line = |message: &Message| {
            json!({
                "id": message.id,
                "from": message.from_actor,
                "type": message.kind,
                "content": message.content,
                "at": message.created_at.to_iso(),
            })
        };
        self.append(messages.iter().map(line))
    }

    /// Appends a word of the runner itself.
    pub fn tell(&self, kind: &str, content: &str) -> io::Result<()> {
        self.append([json!({ "from": "octopoid", "type": kind, "content": content })])
    }

    fn append(&self, lines: impl IntoIterator<Item = Value>) -> io::Result<()> {
        let text = lines.into_iter().fold(String::new(), |text, line| format!("{text}{line}\n"));
        let flags = OFlags::NOFOLLOW | OFlags::NONBLOCK;
        let mut options = OpenOptions::new();
        options.create(true).append(true).custom_flags(flags.bits().cast_signed());
        let mut file = options.open(self.messages_file())?;
        if file.metadata()?.is_file() { file.write_all(text.as_bytes()) } else { Ok(()) }
    }
}

fn progress(text: &str) -> Option<NewProgress> {
    let line = text.lines().rev().map(str::trim).find(|line| !line.is_empty())?;
    let (number, rest) = line.split_once('%').unwrap_or(("", line));
    let percent = number.trim().parse().ok().filter(|percent| (0.0..=100.0).contains(percent));
    let message = if percent.is_some() { rest.trim() } else { line };
    let message = (!message.is_empty()).then(|| message.to_owned());
    Some(NewProgress { message: Prose(message), percent })
}

/// The beginning of a regular file, if there is one.
fn read(path: &Path, bytes_max: usize) -> Option<String> {
    let flags = OFlags::NOFOLLOW | OFlags::NONBLOCK;
    let mut options = OpenOptions::new();
    let file = options.read(true).custom_flags(flags.bits().cast_signed()).open(path).ok()?;
    if !file.metadata().ok()?.is_file() {
        return None;
    }
    let mut bytes = Vec::new();
    file.take(bytes_max as u64).read_to_end(&mut bytes).ok()?;
    Some(String::from_utf8_lossy(&bytes).into_owned())
}

/// Removes the file, link or folder at a path.
fn remove(path: &Path) -> io::Result<()> {
    let removed = match fs::symlink_metadata(path) {
        Ok(metadata) if metadata.is_dir() => fs::remove_dir_all(path),
        Ok(_) => fs::remove_file(path),
        Err(error) => Err(error),
    };
    match removed {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use octopoid_domain::report::CHECKPOINT_BYTES_MAX;
    use serde_json::{Value, json};

    use super::{Mailbox, Said, Word, fs, progress};

    #[test]
    fn the_first_line_of_an_outcome_is_a_word() {
        let said = |text| Said::parse(text).map(|said| (said.word, said.message));
        assert_eq!(said("done"), Some((Word::Done, String::new())));
        assert_eq!(
            said(" Needs-Input \r\n\nWhich port?\n"),
            Some((Word::NeedsInput, "Which port?".into()))
        );
        assert_eq!(said("no_change\na\nb"), Some((Word::NoChange, "a\nb".into())));
        for nothing in ["", "\ndone", "done!", "I am done"] {
            assert_eq!(said(nothing), None, "{nothing}");
        }
    }

    #[test]
    fn a_verdict_may_stand_in_the_text() {
        let said = |text| Said::of_verdict(text).map(|said| (said.word, said.message));
        assert_eq!(said("Fine.\n**VERDICT: accept**"), Some((Word::Accept, "Fine.".into())));
        let twice = "VERDICT: accept\nNo, wait.\nVERDICT: reject\nTests are missing.";
        assert_eq!(said(twice), Some((Word::Reject, "No, wait.\nTests are missing.".into())));
        assert_eq!(said("I would accept it. VERDICT"), None);
        assert_eq!(said("VERDICT: done"), None);
    }

    #[test]
    fn progress_is_the_last_line() {
        let of = |text| progress(text).map(|said| (said.percent, said.message.0));
        assert_eq!(
            of("a\n65% running tests\n\n"),
            Some((Some(65.0), Some("running tests".into())))
        );
        assert_eq!(of("100%"), Some((Some(100.0), None)));
        assert_eq!(of("900% sure"), Some((None, Some("900% sure".into()))));
        assert_eq!(of("50 % done"), Some((Some(50.0), Some("done".into()))));
        assert_eq!(of(" \n"), None);
    }

    #[test]
    fn files_are_read_as_far_as_they_may_be() {
        let folder = tempfile::tempdir().unwrap();
        let mailbox = Mailbox::create(folder.path()).unwrap();
        assert_eq!((mailbox.outcome(), mailbox.checkpoint()), (None, None));
        let write = |text: &str| fs::write(mailbox.checkpoint_file(), text).unwrap();
        write("{\"step\": 3}\n");
        assert_eq!(mailbox.checkpoint(), Some(json!({ "step": 3 })));
        write("step 3");
        assert_eq!(mailbox.checkpoint(), Some(json!("step 3")));
        write(&"x".repeat(CHECKPOINT_BYTES_MAX));
        assert_eq!(mailbox.checkpoint(), None);
        fs::write(mailbox.outcome_file(), [b"done\n".as_slice(), &[0xff; 9_000]].concat()).unwrap();
        assert!(mailbox.outcome().unwrap().message.len() <= 4 << 10);
        fs::remove_file(mailbox.outcome_file()).unwrap();
        let secret = folder.path().join("secret");
        fs::write(&secret, "failed").unwrap();
        symlink(&secret, mailbox.outcome_file()).unwrap();
        assert_eq!(mailbox.outcome(), None);
        mailbox.tell("wrap_up", "finish\nnow").unwrap();
        let line = fs::read_to_string(mailbox.messages_file()).unwrap();
        assert_eq!(serde_json::from_str::<Value>(&line).unwrap()["content"], "finish\nnow");
        Mailbox::create(folder.path()).unwrap();
        assert!(!mailbox.outcome_file().exists() && !mailbox.messages_file().exists());
        assert!(secret.exists());
    }
}
