//! Shows what happens in a runner: a line each.

use octopoid_runner::notice::{Notice, Notices};

use crate::{
    clock::time_of_day,
    failure::{Failure, Outcome},
    output::{Format, Output, one_line, print},
};

/// The width of the column with the word, and of that with the id.
const WORD_WIDTH: usize = 10;

/// Notices go to standard output: a line for people, an object for programs.
pub(crate) fn show(output: &Output) -> Outcome<Notices> {
    let format = output.format;
    if format == Format::Json {
        return Err(Failure::usage("what happens is many objects, one a line: -o ndjson"));
    }
    let notices = Notices::new(move |notice| {
        let text = match format {
            Format::Table => line(&notice),
            Format::Json | Format::Ndjson => {
                format!("{}\n", serde_json::to_string(&notice).unwrap_or_default())
            }
        };
        // A reader that has gone does not end the runs.
        let _ = print(&text);
    });
    Ok(notices)
}

fn line(notice: &Notice) -> String {
    let Notice { at, kind, task_id, slot, text } = notice;
    let id = task_id.as_deref().map(|id| format!("{}  ", one_line(id))).unwrap_or_default();
    let slot = slot.map(|slot| format!("  · slot {slot}")).unwrap_or_default();
    format!("{}  {kind:WORD_WIDTH$} {id}{}{slot}\n", time_of_day(*at), one_line(text))
}

#[cfg(test)]
mod tests {
    use octopoid_domain::Millis;
    use octopoid_runner::notice::Notice;

    use super::{line, time_of_day};

    #[test]
    fn a_notice_is_a_line() {
        let notice = Notice {
            at: Millis(3_723_000),
            kind: "claimed",
            task_id: Some("4f1c2a9b".to_owned()),
            slot: Some(1),
            text: "Fix the\nlogin \u{1b}[2Jtest".to_owned(),
        };
        let time = time_of_day(notice.at);
        let expected = format!("{time}  claimed    4f1c2a9b  Fix the login test  · slot 1\n");
        assert_eq!(line(&notice), expected);
        let notice = Notice { task_id: None, slot: None, text: "gone".to_owned(), ..notice };
        assert_eq!(line(&notice), format!("{time}  claimed    gone\n"));
    }
}
