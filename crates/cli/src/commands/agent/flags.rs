//! How runs are done: the options that `agent run` and `up` share.

use std::{
    ffi::OsString,
    path::{Path, PathBuf},
    time::Duration,
};

use clap::ValueEnum;
use octopoid_domain::failure::REASONS;
use octopoid_runner::{
    adapter::Tool,
    config::{Limits, OnDirty},
    environment::Policy,
    judge::NoChange,
    preflight,
    prompt::Template,
    workspace::{Isolation, Keep},
};
use octopoid_server::duration;

use crate::failure::{Failure, Outcome};

/// How runs are done.
#[derive(Clone, Debug, clap::Args)]
pub(crate) struct Flags {
    /// Branch or commit that work starts from [default: the task's branch, else what is checked out].
    #[arg(long, value_name = "REF", help_heading = "Work tree")]
    pub(crate) base: Option<String>,
    /// Folder for the work trees [default: in the XDG data folder].
    #[arg(long, value_name = "DIR", help_heading = "Work tree")]
    pub(crate) worktree_root: Option<PathBuf>,
    /// How work trees are kept apart: worktree, or clone for agents in a sandbox that cannot write
    /// to the repository's .git.
    #[arg(
        long,
        value_enum,
        default_value_t,
        value_name = "HOW",
        hide_possible_values = true,
        help_heading = "Work tree"
    )]
    isolation: IsolationFlag,
    /// File that lists what git ignores and agents need, in the syntax of .gitignore.
    #[arg(
        long,
        value_name = "FILE",
        default_value = ".worktreeinclude",
        help_heading = "Work tree"
    )]
    pub(crate) include: PathBuf,
    /// Command that prepares a work tree; may be repeated. If it fails, the run does.
    #[arg(long, value_name = "COMMAND", help_heading = "Work tree")]
    pub(crate) setup: Vec<String>,
    /// Which work trees are kept after a run: failed, all or none. One with work that is not merged
    /// or pushed always is.
    #[arg(
        long,
        value_enum,
        default_value_t,
        value_name = "WHICH",
        hide_possible_values = true,
        help_heading = "Work tree"
    )]
    keep_worktrees: KeepFlag,
    /// Command that must succeed before work is submitted or merged; may be repeated.
    #[arg(long, value_name = "COMMAND", help_heading = "Result")]
    pub(crate) check: Vec<String>,
    /// Changes that the agent did not commit: commit, or keep (then the attempt fails).
    #[arg(
        long,
        value_enum,
        default_value_t,
        value_name = "HOW",
        hide_possible_values = true,
        help_heading = "Result"
    )]
    on_dirty: OnDirtyFlag,
    /// When the agent says that there was nothing to change: review, or fail.
    #[arg(
        long,
        value_enum,
        default_value_t,
        value_name = "HOW",
        hide_possible_values = true,
        help_heading = "Result"
    )]
    no_change: NoChangeFlag,
    /// Push branches to this remote before work is submitted, and fetch from it what other machines
    /// have pushed.
    #[arg(
        long,
        value_name = "REMOTE",
        num_args = 0..=1,
        default_missing_value = "origin",
        require_equals = true,
        help_heading = "Result"
    )]
    pub(crate) push: Option<String>,
    /// Open a pull request by gh for work that is submitted.
    #[arg(long, requires = "push", help_heading = "Result")]
    pub(crate) pr: bool,
    /// Reason that an exit code of the command stands for, such as `3=network`; may be repeated.
    #[arg(
        long,
        value_name = "CODE=REASON",
        value_parser = exit_reason,
        help_heading = "Result"
    )]
    pub(crate) exit_map: Vec<(i32, &'static str)>,
    /// File with the prompt: text with {{title}}, {{content}} and other variables.
    #[arg(long, value_name = "FILE", help_heading = "Agent")]
    prompt_file: Option<PathBuf>,
    /// How the command's output is read: auto, claude, codex, opencode, gemini or plain.
    #[arg(
        long,
        value_enum,
        default_value_t,
        value_name = "NAME",
        hide_possible_values = true,
        help_heading = "Agent"
    )]
    adapter: Adapter,
    /// Only these of your environment variables go to the agent, beside PATH, HOME and the like; may
    /// be repeated, and have *.
    #[arg(long, value_name = "NAME", help_heading = "Agent")]
    env_allow: Vec<String>,
    /// These do not; may be repeated, and have *.
    #[arg(long, value_name = "NAME", help_heading = "Agent")]
    env_deny: Vec<String>,
    /// How long a lease lasts without being renewed.
    #[arg(
        long,
        value_name = "DURATION",
        default_value = "5m",
        value_parser = lease,
        help_heading = "Limits"
    )]
    lease: Duration,
    /// How long a run may take [default: no limit].
    #[arg(long, value_name = "DURATION", value_parser = duration, help_heading = "Limits")]
    timeout: Option<Duration>,
    /// How long the command may print nothing [default: 30m; for plain commands no limit].
    #[arg(long, value_name = "DURATION", value_parser = duration, help_heading = "Limits")]
    stall: Option<Duration>,
    /// How long processes have to end after SIGTERM.
    #[arg(
        long,
        value_name = "DURATION",
        default_value = "5s",
        value_parser = duration,
        help_heading = "Limits"
    )]
    grace: Duration,
    /// How long a setup command or a check may take.
    #[arg(
        long,
        value_name = "DURATION",
        default_value = "30m",
        value_parser = duration,
        help_heading = "Limits"
    )]
    hook_timeout: Duration,
    /// Bytes of output that are kept on disk, such as 64MiB.
    #[arg(
        long,
        value_name = "SIZE",
        default_value = "64MiB",
        value_parser = size,
        help_heading = "Limits"
    )]
    log_max: u64,
    /// Space that must stay free on the disk of the work trees; below it, runs are stopped.
    #[arg(
        long,
        value_name = "SIZE",
        default_value = "256MiB",
        value_parser = size,
        help_heading = "Limits"
    )]
    min_free: u64,
    /// US dollars that runs on this machine may cost in a day, by UTC; then no more are begun. Only
    /// claude and opencode tell what they cost.
    #[arg(long, value_name = "USD", value_parser = dollars, help_heading = "Limits")]
    pub(crate) max_cost_per_day: Option<f64>,
}

/// The command of the agent.
#[derive(Clone, Debug, Default, clap::Args)]
pub(crate) struct Words {
    /// Command that does the work: claude -p, codex exec, opencode run, gemini, or any other. It is
    /// given the prompt on its standard input.
    #[arg(last = true, value_name = "COMMAND")]
    pub(crate) command: Vec<OsString>,
}

macro_rules! choice {
    (
        $(#[$attribute:meta])* $flag:ident of $type:ty {
            $($(#[$of:meta])* $name:ident => $value:expr,)*
        }
    ) => {
        $(#[$attribute])*
        #[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
        enum $flag {
            $($(#[$of])* $name,)*
        }

        impl From<$flag> for $type {
            fn from(flag: $flag) -> Self {
                match flag {
                    $($flag::$name => $value,)*
                }
            }
        }
    };
}

choice! {
    /// How work trees are kept apart.
    IsolationFlag of Isolation {
        #[default]
        Worktree => Isolation::Worktree,
        Clone => Isolation::Clone,
    }
}

choice! {
    /// Which work trees are kept.
    KeepFlag of Keep {
        #[default]
        Failed => Keep::Failed,
        All => Keep::All,
        None => Keep::None,
    }
}

choice! {
    /// What to do with changes that are not committed.
    OnDirtyFlag of OnDirty {
        #[default]
        Commit => OnDirty::Commit,
        Keep => OnDirty::Keep,
    }
}

choice! {
    /// What to do when there was nothing to change.
    NoChangeFlag of NoChange {
        #[default]
        Review => NoChange::Review,
        Fail => NoChange::Fail,
    }
}

choice! {
    /// How output is read.
    Adapter of Option<Tool> {
        #[default]
        Auto => None,
        Claude => Some(Tool::Claude),
        Codex => Some(Tool::Codex),
        Opencode => Some(Tool::Opencode),
        Gemini => Some(Tool::Gemini),
        Plain => Some(Tool::Plain),
    }
}

impl Flags {
    /// How work trees are kept apart.
    pub(crate) fn isolation(&self) -> Isolation {
        self.isolation.into()
    }

    /// Which work trees are kept.
    pub(crate) fn keep(&self) -> Keep {
        self.keep_worktrees.into()
    }

    /// What to do with changes that are not committed.
    pub(crate) fn on_dirty(&self) -> OnDirty {
        self.on_dirty.into()
    }

    /// What to do when there was nothing to change.
    pub(crate) fn no_change(&self) -> NoChange {
        self.no_change.into()
    }

    /// Which variables agents get.
    pub(crate) fn environment(&self) -> Policy {
        Policy { allow: self.env_allow.clone(), deny: self.env_deny.clone() }
    }

    /// The limits of runs.
    pub(crate) fn limits(&self) -> Limits {
        Limits {
            lease: self.lease,
            timeout: self.timeout.filter(|limit| !limit.is_zero()),
            stall: self.stall.filter(|limit| !limit.is_zero()),
            grace: self.grace,
            hook_timeout: self.hook_timeout,
            output_bytes_max: self.log_max,
            free_bytes_min: self.min_free,
        }
    }

    /// The template of the prompt, if the user names one.
    pub(crate) fn template(&self) -> Outcome<Option<Template>> {
        let Some(path) = &self.prompt_file else { return Ok(None) };
        let text = crate::commands::read_text(path)?;
        Template::parse(&text)
            .map(Some)
            .map_err(|error| Failure::usage(format!("{}: {error}", path.display())))
    }

    /// How the output of a command is read, and the whole command. Agents work in other folders, so a
    /// path to the program is made absolute.
    pub(crate) fn agent(&self, command: &[OsString]) -> (Tool, Vec<OsString>) {
        let Some((program, arguments)) = command.split_first() else {
            return (Tool::Plain, Vec::new());
        };
        let is_path = Path::new(program).components().count() > 1;
        let found = preflight::find(program).filter(|_| is_path);
        let whole = found.map_or_else(|| program.clone(), PathBuf::into_os_string);
        let by_name = || Tool::of_program(&program.to_string_lossy());
        let tool = Option::from(self.adapter).unwrap_or_else(by_name);
        let arguments = tool.arguments(arguments.to_vec());
        (tool, std::iter::once(whole).chain(arguments).collect())
    }

    /// The same, if there is such a program.
    pub(crate) fn agent_that_exists(&self, command: &[OsString]) -> Outcome<(Tool, Vec<OsString>)> {
        match command.first() {
            Some(program) if preflight::find(program).is_none() => {
                let text = format!("the command {} is not an executable file", program.display());
                Err(Failure::usage(text).remedy("install it, or write its path"))
            }
            _ => Ok(self.agent(command)),
        }
    }

    /// What may keep agents from doing their work, or the runner from seeing it.
    pub(crate) fn warnings(&self, tool: Tool, command: &[OsString]) -> Vec<String> {
        let mut warnings = preflight::warnings(tool, command);
        if self.max_cost_per_day.is_some() && !tool.tells_cost() {
            let name = tool.name();
            let text =
                format!("{name} does not tell what it costs: --max-cost-per-day has no effect");
            warnings.push(text);
        }
        warnings
    }
}

fn lease(text: &str) -> Result<Duration, String> {
    let lease = duration(text)?;
    if lease < Duration::from_secs(15) || lease > Duration::from_hours(24) {
        return Err("a lease lasts from 15s to 24h".to_owned());
    }
    Ok(lease)
}

fn exit_reason(text: &str) -> Result<(i32, &'static str), String> {
    let (code, name) = text.split_once('=').ok_or("write it as CODE=REASON, such as 3=network")?;
    let code = code.parse::<u8>().map_err(|_| "an exit code is a number from 0 to 255")?;
    let reason = REASONS.iter().find(|reason| reason.name == name);
    let reason = reason.ok_or_else(|| {
        let known: Vec<_> = REASONS.iter().map(|reason| reason.name).collect();
        format!("unknown reason; the known ones are: {}", known.join(", "))
    })?;
    Ok((code.into(), reason.name))
}

fn size(text: &str) -> Result<u64, String> {
    let digits = text.len() - text.trim_start_matches(|c: char| c.is_ascii_digit()).len();
    let unit: u64 = match text[digits..].trim() {
        "" | "B" => 1,
        "KiB" | "K" => 1 << 10,
        "MiB" | "M" => 1 << 20,
        "GiB" | "G" => 1 << 30,
        _ => return Err("write it as a number of bytes, or with KiB, MiB or GiB".to_owned()),
    };
    let number: u64 = text[..digits].parse().map_err(|_| "it must begin with a number")?;
    number.checked_mul(unit).ok_or_else(|| "it is too large".to_owned())
}

fn dollars(text: &str) -> Result<f64, String> {
    let amount = text.trim_start_matches('$').parse::<f64>().ok();
    amount
        .filter(|amount| amount.is_finite() && *amount >= 0.0)
        .ok_or_else(|| "write it as a number of US dollars, such as 20 or 7.50".to_owned())
}

#[cfg(test)]
mod tests {
    use super::{dollars, exit_reason, lease, size};

    #[test]
    fn values_of_flags() {
        assert_eq!(size("64MiB"), Ok(64 << 20));
        assert_eq!(size("10"), Ok(10));
        assert!(size("64MB").is_err() && size("MiB").is_err() && size("99999999999GiB").is_err());
        assert_eq!(exit_reason("3=network"), Ok((3, "network")));
        assert!(exit_reason("3=lease_lost").unwrap_err().contains("provider_limit"));
        assert!(exit_reason("300=network").is_err() && exit_reason("network").is_err());
        assert!(dollars("$7.50").is_ok() && dollars("-1").is_err() && dollars("NaN").is_err());
        assert!(lease("1s").is_err() && lease("15s").is_ok());
    }
}
