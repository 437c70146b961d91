//! A page of Markdown that is a script: commands, and what they printed when the page was recorded.
//!
//! In a block of the language `console`, a line that begins with `$ ` is a command, and lines that
//! begin with `> ` continue it. What follows is its output. A block with a name behind its language,
//! such as `python receiver.py`, is a file that later commands use. The block [`Tour::install`] is run
//! by who installs packages. All other text is for the reader.

use std::fmt::Write as _;

use anyhow::{Context as _, ensure};

/// What stands before the output of each command, followed by the command's number.
const MARK: &str = "%%% command ";

/// Texts of the page, and what stands for each of them where the script is run.
pub type Replacements<'a> = [(&'a str, &'a str)];

/// The parts of a page, in their order.
#[derive(Debug)]
pub struct Tour {
    parts: Vec<Part>,
}

#[derive(Debug)]
enum Part {
    /// Lines that are not run.
    Text(String),
    /// A file.
    File { name: String, fence: String, text: String },
    /// A command, and what it prints.
    Command { line: usize, text: String, output: String },
}

impl Tour {
    /// Reads a page.
    pub fn read(page: &str) -> anyhow::Result<Self> {
        let mut parts = Vec::new();
        let mut lines = page.lines().zip(1..);
        while let Some((line, number)) = lines.next() {
            let mut words = line.strip_prefix("```").unwrap_or_default().split_whitespace();
            let (Some(language), name) = (words.next(), words.next()) else {
                add_text(&mut parts, line);
                continue;
            };
            let mut block = Vec::new();
            loop {
                let next = lines.next().with_context(|| format!("line {number}: no end"))?;
                if next.0 == "```" {
                    break;
                }
                block.push(next);
            }
            if let Some(name) = name {
                let lines: Vec<_> = block.iter().map(|(line, _)| *line).collect();
                let text = lines.join("\n") + "\n";
                parts.push(Part::File { name: name.to_owned(), fence: line.to_owned(), text });
                continue;
            }
            add_text(&mut parts, line);
            if language == "console" {
                add_commands(&mut parts, &block)?;
            } else {
                for (line, _) in block {
                    add_text(&mut parts, line);
                }
            }
            add_text(&mut parts, "```");
        }
        Ok(Self { parts })
    }

    /// The commands of the first block for a shell: how the package is installed.
    pub fn install(&self) -> Option<&str> {
        self.parts.iter().find_map(|part| match part {
            Part::Text(text) => text.split_once("```sh\n")?.1.split_once("```").map(|(sh, _)| sh),
            _ => None,
        })
    }

    /// A script for bash that runs the commands, and ends with the first that fails. It ends what it
    /// has started.
    pub fn script(&self, replacements: &Replacements<'_>) -> String {
        let mut script = "set -e\nexec 2>&1 < /dev/null\n".to_owned();
        script.push_str("trap 'kill $(jobs -p) 2> /dev/null || true; wait' EXIT\n");
        for (number, part) in self.parts.iter().enumerate() {
            let lines = match part {
                Part::Text(_) => continue,
                Part::File { name, text, .. } => format!("cat > {name} <<'%%%'\n{text}%%%\n"),
                Part::Command { text, .. } => format!("echo '{MARK}{number}'\n{text}\n"),
            };
            script.push_str(&lines);
        }
        for (here, there) in replacements {
            script = script.replace(here, there);
        }
        let _ = writeln!(script, "echo '{MARK}{}'", self.parts.len());
        script
    }

    /// The tour with the outputs that its script has printed.
    pub fn recorded(&self, printed: &str, replacements: &Replacements<'_>) -> anyhow::Result<Self> {
        let mut printed = printed.to_owned();
        for (here, there) in replacements {
            printed = printed.replace(there, here);
        }
        let output_of = |number: usize| {
            let (_, rest) = printed.split_once(&format!("{MARK}{number}\n"))?;
            let output = rest.split_once(MARK);
            Some(output.map_or((rest, false), |(output, _)| (output, true)))
        };
        let mut parts = Vec::new();
        for (number, part) in self.parts.iter().enumerate() {
            parts.push(match part {
                Part::Text(text) => Part::Text(text.clone()),
                Part::File { name, fence, text } => {
                    Part::File { name: name.clone(), fence: fence.clone(), text: text.clone() }
                }
                Part::Command { line, text, .. } => {
                    let (output, has_succeeded) = output_of(number)
                        .with_context(|| format!("the script printed {printed}"))?;
                    let output = trimmed(output);
                    ensure!(has_succeeded, "line {line}: `{text}` has failed:\n{output}");
                    Part::Command { line: *line, text: text.clone(), output }
                }
            });
        }
        Ok(Self { parts })
    }

    /// The page.
    pub fn page(&self) -> String {
        let (mut page, mut has_printed) = (String::new(), false);
        for part in &self.parts {
            match part {
                Part::Text(text) => page.push_str(text),
                Part::File { fence, text, .. } => {
                    let _ = write!(page, "{fence}\n{text}```\n");
                }
                Part::Command { text, output, .. } => {
                    let separator = if has_printed { "\n" } else { "" };
                    let text = text.replace('\n', "\n> ");
                    let _ = write!(page, "{separator}$ {text}\n{output}");
                }
            }
            has_printed = matches!(part, Part::Command { output, .. } if !output.is_empty());
        }
        page
    }

    /// Compares the outputs of a run with those of the page, apart from what differs in each run.
    /// The error has each command whose output is another.
    pub fn compare(&self, run: &Self) -> anyhow::Result<()> {
        let mut differences = String::new();
        for (here, there) in self.parts.iter().zip(&run.parts) {
            let (Part::Command { line, text, output: expected }, Part::Command { output, .. }) =
                (here, there)
            else {
                continue;
            };
            if constant(expected) != constant(output) {
                let _ = writeln!(
                    differences,
                    "line {line}: `{text}` printed\n{output}\nand the page has\n{expected}"
                );
            }
        }
        ensure!(differences.is_empty(), "the page is not what happens:\n{differences}");
        Ok(())
    }
}

/// Adds a line of text.
fn add_text(parts: &mut Vec<Part>, line: &str) {
    if let Some(Part::Text(text)) = parts.last_mut() {
        let _ = writeln!(text, "{line}");
    } else {
        parts.push(Part::Text(format!("{line}\n")));
    }
}

/// Adds the commands of a block, with their outputs.
fn add_commands(parts: &mut Vec<Part>, block: &[(&str, usize)]) -> anyhow::Result<()> {
    let first = parts.len();
    for &(written, line) in block {
        if let Some(text) = written.strip_prefix("$ ") {
            let (text, output) = (text.to_owned(), String::new());
            parts.push(Part::Command { line, text, output });
            continue;
        }
        let last = parts.get_mut(first..).and_then(<[Part]>::last_mut);
        let Some(Part::Command { text, output, .. }) = last else {
            anyhow::bail!("line {line}: a block begins with a command");
        };
        match written.strip_prefix("> ") {
            Some(more) if output.is_empty() => {
                let _ = write!(text, "\n{more}");
            }
            _ => {
                let _ = writeln!(output, "{written}");
            }
        }
    }
    for part in &mut parts[first..] {
        if let Part::Command { output, .. } = part {
            *output = trimmed(output);
        }
    }
    Ok(())
}

/// An output without spaces at the ends of lines, and without empty lines at its end.
fn trimmed(output: &str) -> String {
    let lines: Vec<_> = output.lines().map(str::trim_end).collect();
    let text = lines.join("\n");
    let text = text.trim_end();
    if text.is_empty() { String::new() } else { format!("{text}\n") }
}

/// The words of an output, with a mark for each that differs in each run.
fn constant(output: &str) -> Vec<Vec<&str>> {
    let words = |line| -> Vec<&str> {
        let words: Vec<&str> = str::split_whitespace(line).collect();
        let next = words.iter().skip(1).map(Some).chain([None]);
        let pairs = words.iter().zip(next);
        pairs.map(|(word, next)| if varies(word, next.copied()) { "…" } else { word }).collect()
    };
    output.lines().map(words).collect()
}

/// Whether a word differs in each run: a time, an id, a secret, a size, a duration or a version.
fn varies(word: &str, next: Option<&str>) -> bool {
    let digits = word.chars().filter(char::is_ascii_digit).count();
    let is_number = digits > 0 && word.chars().all(|c| c.is_ascii_digit() || c == '.');
    let is_measured = next.is_some_and(|next| {
        ["B", "kB", "MB", "s", "ms"].contains(&next.trim_end_matches([',', ':']))
    });
    let is_version = is_number && word.matches('.').count() == 2;
    let is_base64 = word.len() > 40
        && word.chars().all(|c| c.is_ascii_alphanumeric() || ['+', '/', '=', ','].contains(&c));
    let is_stamp = digits > 5 && !word.contains("127.0.0.1");
    is_number && is_measured || is_version || is_base64 || is_stamp
}

#[cfg(test)]
mod tests {
    use super::*;

    const PAGE: &str = "# Title\n\n```sh\nsudo apt install x\n```\n\n```text a.txt\none\n```\n\n\
        ```console\n$ cat a.txt\none\n\n$ true\n$ echo '2\n> 3'\n2\n3\n```\n\nThe end.\n";

    fn run(tour: &Tour, replacements: &Replacements<'_>) -> String {
        let folder = tempfile::tempdir().unwrap();
        let mut bash = std::process::Command::new("bash");
        bash.args(["-c", &tour.script(replacements)]).current_dir(&folder);
        String::from_utf8(bash.output().unwrap().stdout).unwrap()
    }

    #[test]
    fn a_page_is_run_and_written_as_it_was() {
        let tour = Tour::read(PAGE).unwrap();
        assert_eq!(tour.page(), PAGE);
        assert_eq!(tour.install(), Some("sudo apt install x\n"));
        let recorded = tour.recorded(&run(&tour, &[]), &[]).unwrap();
        assert_eq!(recorded.page(), PAGE);
        tour.compare(&recorded).unwrap();
    }

    #[test]
    fn what_stands_for_a_text_is_not_seen_in_the_recording() {
        let tour = Tour::read("```console\n$ echo 127.0.0.1\n127.0.0.1\n```\n").unwrap();
        let replacements = [("127.0.0.1", "127.9.9.9")];
        let printed = run(&tour, &replacements);
        assert!(printed.contains("127.9.9.9"), "{printed}");
        tour.compare(&tour.recorded(&printed, &replacements).unwrap()).unwrap();
    }

    #[test]
    fn another_output_and_a_failure_name_the_line() {
        let tour = Tour::read("```console\n$ echo 1 task\n2 tasks\n```\n").unwrap();
        let recorded = tour.recorded(&run(&tour, &[]), &[]).unwrap();
        let error = tour.compare(&recorded).unwrap_err().to_string();
        assert!(error.contains("line 2: `echo 1 task` printed\n1 task\n"), "{error}");
        let tour = Tour::read("```console\n$ true\n$ echo why; false\n$ true\n```\n").unwrap();
        let error = tour.recorded(&run(&tour, &[]), &[]).unwrap_err().to_string();
        assert!(error.contains("line 3: `echo why; false` has failed:\nwhy"), "{error}");
    }

    #[test]
    fn only_what_differs_in_each_run_is_left_out() {
        for (one, other) in [
            ("at 2026-11-27T09:24:34.461Z", "at 2026-11-28T10:00:00.000Z"),
            ("hook-1795771474431-47mpjq", "hook-1795771474999-aaaaaa"),
            ("octopoid 0.1.0", "octopoid 0.2.0"),
            ("wrote it: 8.8 kB, 1 task", "wrote it: 10.1  kB, 1 task"),
            ("within 0.2 s", "within 11 s"),
        ] {
            assert_eq!(constant(one), constant(other));
        }
        for (one, other) in [
            ("1 task", "2 tasks"),
            ("run 1", "run 2"),
            ("127.0.0.1:8790", "127.0.0.1:8791"),
            ("a\nb", "a"),
        ] {
            assert_ne!(constant(one), constant(other));
        }
    }

    #[test]
    fn a_page_that_cannot_be_run_is_refused() {
        assert!(Tour::read("```console\noutput\n```\n").is_err());
        assert!(Tour::read("```console\n$ true\n").is_err());
    }
}
