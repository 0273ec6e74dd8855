//! The command line.

use std::path::PathBuf;

use crate::corpus::Options;

pub(crate) const HELP: &str = "\
Makes CloudTrail logs of made-up organisations, with the truth beside them.

usage:
  retrial-generator sample --out DIR       write the small organisation (all of sample-logs/ but its README)
  retrial-generator sample --check DIR     compare DIR with what would be written; status 1 where they differ
  retrial-generator corpus --out DIR --events N --files N [options]

corpus options:
  --out DIR           a folder that is not there yet, or empty: AWSLogs/, iam/ and truth.json go there
  --events N          records in all
  --files N           log files; each has the same number of records, within one
  --days N            delivery days (default 7); one file in forty is delivered hours late
  --principals N      users and roles over four accounts (default 3000, at least 400)
  --unique-keys F     the share of S3 object keys that occur only once, 0 to 1 (default 0.9)
  --sessions on|off   whether the trail shows who issued the role sessions in it (default on)
  --duplicates F      the share of files of which one half comes again, in a file more (default 0)
  --planted on|off    sessions, duplicates and more of every kind, in an account and files of their own
                      besides (default off); needs --days 11 for all of them, 4 at least
  --seed N            the same seed gives the same bytes (default 1)
  --threads N         threads; the bytes do not depend on it (default: all cores)

truth.json holds the books, how many records are kept, duplicates and conflicting, the calls by verdict
and reason, the calls by event name, outcome and verdict, and what was planted with event ids.
";

/// What to do.
#[derive(Debug)]
pub(crate) enum Command {
    Help,
    Sample { out: PathBuf },
    Check { folder: PathBuf },
    Corpus(Options),
}

pub(crate) fn parse(mut arguments: impl Iterator<Item = String>) -> Result<Command, String> {
    let command = arguments.next().unwrap_or_default();
    let arguments: Vec<String> = arguments.collect();
    if command == "--help"
        || command == "-h"
        || arguments
            .iter()
            .any(|argument| argument == "--help" || argument == "-h")
    {
        return Ok(Command::Help);
    }
    let flags = pairs(&arguments)?;
    match command.as_str() {
        "sample" => sample(&flags),
        "corpus" => corpus(&flags).map(Command::Corpus),
        "" => Err(String::from("`sample` or `corpus` is needed")),
        other => Err(format!("unknown command `{other}`")),
    }
}

fn pairs(arguments: &[String]) -> Result<Vec<(&str, &str)>, String> {
    let mut pairs = Vec::new();
    for pair in arguments.chunks(2) {
        match pair {
            [flag, value] if flag.starts_with("--") => pairs.push((flag.as_str(), value.as_str())),
            [flag, ..] => return Err(format!("`{flag}` is no flag with a value")),
            [] => {}
        }
    }
    Ok(pairs)
}

fn sample(flags: &[(&str, &str)]) -> Result<Command, String> {
    match flags {
        [("--out", folder)] => Ok(Command::Sample {
            out: PathBuf::from(folder),
        }),
        [("--check", folder)] => Ok(Command::Check {
            folder: PathBuf::from(folder),
        }),
        _ => Err(String::from("`sample` takes either --out or --check")),
    }
}

fn corpus(flags: &[(&str, &str)]) -> Result<Options, String> {
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    let mut options = Options {
        out: PathBuf::new(),
        events: 0,
        files: 0,
        days: 7,
        principals: 3000,
        sessions: true,
        duplicates: 0.0,
        planted: false,
        unique_keys: 0.9,
        seed: 1,
        threads,
    };
    for (flag, value) in flags {
        match *flag {
            "--out" => options.out = PathBuf::from(value),
            "--events" => options.events = number(flag, value)?,
            "--files" => options.files = number(flag, value)?,
            "--days" => options.days = number(flag, value)?,
            "--sessions" => options.sessions = switch(flag, value)?,
            "--duplicates" => options.duplicates = number(flag, value)?,
            "--planted" => options.planted = switch(flag, value)?,
            "--principals" => options.principals = number(flag, value)?,
            "--unique-keys" => options.unique_keys = number(flag, value)?,
            "--seed" => options.seed = number(flag, value)?,
            "--threads" => options.threads = number(flag, value)?,
            other => return Err(format!("unknown flag `{other}`")),
        }
    }
    if options.out.as_os_str().is_empty() || options.events == 0 || options.files == 0 {
        return Err(String::from("`corpus` needs --out, --events and --files"));
    }
    if options.days == 0 || options.planted && options.days < 4 {
        return Err(String::from(
            "--days must be at least 1, and 4 where something is planted",
        ));
    }
    if options.principals < 400 {
        return Err(String::from(
            "--principals must be at least 400, so that every account has all kinds of them",
        ));
    }
    if std::fs::read_dir(&options.out).is_ok_and(|mut entries| entries.next().is_some()) {
        return Err(format!("`{}` is not empty", options.out.display()));
    }
    Ok(options)
}

fn number<T: std::str::FromStr>(flag: &str, value: &str) -> Result<T, String> {
    value
        .parse()
        .map_err(|_| format!("{flag} takes a number, not `{value}`"))
}

fn switch(flag: &str, value: &str) -> Result<bool, String> {
    match value {
        "on" => Ok(true),
        "off" => Ok(false),
        _ => Err(format!("{flag} takes on or off, not `{value}`")),
    }
}
