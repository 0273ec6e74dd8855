//! The planner over small folders: what it plans, in which order, on an empty and on an existing
//! output.

use std::collections::BTreeMap;
use std::fs;
use std::io::Cursor;
use std::sync::Mutex;

use retrial_storage::{
    Children, Condition, FolderSource, FolderStore, Listing, Range, Source, StorageError, Store,
};
use tempfile::TempDir;

use super::days::{delivery_date, parse_day};
use super::*;
use crate::analyze::PipelineError;
use crate::scratch::Scratch;

const ACCOUNT: &str = "111122223333";

/// `DAY` is such as `2026/11/02`; the name is CloudTrail's, with `hour` and a letter repeated.
fn name(account: &str, region: &str, day: &str, hour: u8, letter: char) -> String {
    let day = day.replace('/', "");
    let unique = letter.to_string().repeat(16);
    format!("{account}_CloudTrail_{region}_{day}T{hour:02}05Z_{unique}.json.gz")
}

fn folder(account: &str, region: &str, day: &str) -> String {
    format!("AWSLogs/{account}/CloudTrail/{region}/{day}")
}

/// A log file where CloudTrail puts it.
fn log(account: &str, region: &str, day: &str, hour: u8, letter: char) -> String {
    let folder = folder(account, region, day);
    format!("{folder}/{}", name(account, region, day, hour, letter))
}

/// One account's one Region.
fn file(day: &str, letter: char) -> String {
    log(ACCOUNT, "us-east-1", day, 1, letter)
}

/// Folders of log files and the output that they are planned for.
struct World {
    folder: TempDir,
    sources: Vec<Box<dyn Source>>,
    store: FolderStore,
    scratch: Scratch,
    before: PlannedBefore,
}

impl World {
    fn new(sources: usize) -> Self {
        let folder = TempDir::new().unwrap();
        let path = |name: &str| folder.path().join(name);
        let roots = (0..sources).map(|index| {
            let root = path(&format!("s{index}"));
            fs::create_dir(&root).unwrap();
            Box::new(FolderSource::open(&root).unwrap()) as Box<dyn Source>
        });
        Self {
            sources: roots.collect(),
            store: FolderStore::create(&path("out")).unwrap(),
            scratch: Scratch::new(&path("scratch")).unwrap(),
            before: PlannedBefore::default(),
            folder,
        }
    }

    /// A world with files in its first source.
    fn with(keys: &[&str]) -> Self {
        let world = Self::new(1);
        for key in keys {
            world.add(0, key);
        }
        world
    }

    fn add(&self, source: usize, key: &str) {
        let path = self.folder.path().join(format!("s{source}")).join(key);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, key).unwrap();
    }

    fn names(&self) -> Vec<String> {
        let names = self.sources.iter().map(|s| s.location().to_owned());
        names.collect()
    }

    fn planner(&self, options: PlanOptions) -> Result<Planner<'_>, PipelineError> {
        let before = self.before.clone();
        Planner::new(&self.sources, options, &self.store, before, &self.scratch)
    }

    fn plans(&self, options: PlanOptions) -> (Vec<DayPlan>, LeftOver) {
        let mut planner = self.planner(options).unwrap();
        let mut plans = Vec::new();
        while let Some(plan) = planner.next_day().unwrap() {
            plans.push(plan);
        }
        (plans, planner.left_over().clone())
    }

    /// Plans a run, and stores its plans as completed ones.
    fn run(&mut self, options: PlanOptions) -> Vec<String> {
        let (plans, _) = self.plans(options);
        for plan in &plans {
            let number = self.before.plans.last().map_or(1, |last| last.number + 1);
            let reference = plan.reference(number);
            let bytes = plan.to_bytes(number, &self.names());
            self.store
                .put(&reference.key, &bytes, Condition::IfAbsent)
                .unwrap();
            assert_eq!(
                &DayPlan::from_bytes(&reference.key, &bytes, &self.names()).unwrap(),
                plan
            );
            let replaced = |earlier: &PlanRef| plan.replaces.contains(&earlier.number);
            self.before.plans.retain(|earlier| !replaced(earlier));
            self.before.plans.push(reference);
        }
        lines(&plans)
    }

    #[track_caller]
    fn check(&mut self, options: PlanOptions, expect: &[&str]) {
        assert_eq!(self.run(options), expect);
    }
}

/// Each plan as its day, followed by its files, as `source key`.
fn lines(plans: &[DayPlan]) -> Vec<String> {
    let mut lines = Vec::new();
    for plan in plans {
        let replaces = match plan.replaces.as_slice() {
            [] => String::new(),
            replaces => format!(" for {replaces:?}"),
        };
        lines.push(format!("{}{replaces}", delivery_date(plan.day)));
        for file in &plan.files {
            let name = file.key.rsplit('/').next().unwrap();
            lines.push(format!("  {} {name}", file.source));
        }
        lines.extend(plan.unlisted.iter().map(|u| format!("  ! {}", u.message)));
    }
    lines
}

/// A planned line for [`file`].
fn planned(day: &str, letter: char) -> String {
    format!("  0 {}", name(ACCOUNT, "us-east-1", day, 1, letter))
}

fn options() -> PlanOptions {
    PlanOptions::default()
}

fn texts(lines: &[String]) -> Vec<&str> {
    lines.iter().map(String::as_str).collect()
}

const D1: &str = "2026/11/01";
const D2: &str = "2026/11/02";
const D3: &str = "2026/11/03";

#[test]
fn days_ascend_and_files_are_in_stamp_order() {
    let mut world = World::new(2);
    world.add(0, &log(ACCOUNT, "us-east-1", D2, 9, 'a'));
    world.add(0, &log(ACCOUNT, "us-east-1", D2, 8, 'z'));
    world.add(0, &log(ACCOUNT, "eu-west-1", D2, 8, 'y'));
    world.add(0, &log(ACCOUNT, "eu-west-1", D1, 23, 'b'));
    // Another prefix with an organization, and another source.
    let other = log("444455556666", "us-east-1", D2, 7, 'c');
    let other = other.replace("AWSLogs/", "p/q/AWSLogs/o-example/");
    world.add(0, &other);
    world.add(1, &log("444455556666", "us-east-1", D1, 23, 'd'));
    // A day that is in the layout, but not with a name of it; and a folder deeper.
    world.add(0, &format!("{}/b.json", folder(ACCOUNT, "us-east-1", D2)));
    world.add(0, &format!("{}/x/a.json", folder(ACCOUNT, "us-east-1", D2)));
    world.add(1, "AWSLogs/export.json");
    world.check(
        options(),
        &[
            "unknown",
            "  1 export.json",
            "2026-11-01",
            &format!("  0 {}", name(ACCOUNT, "eu-west-1", D1, 23, 'b')),
            &format!("  1 {}", name("444455556666", "us-east-1", D1, 23, 'd')),
            "2026-11-02",
            "  0 a.json",
            "  0 b.json",
            &format!("  0 {}", name("444455556666", "us-east-1", D2, 7, 'c')),
            &format!("  0 {}", name(ACCOUNT, "eu-west-1", D2, 8, 'y')),
            &format!("  0 {}", name(ACCOUNT, "us-east-1", D2, 8, 'z')),
            &format!("  0 {}", name(ACCOUNT, "us-east-1", D2, 9, 'a')),
        ],
    );
    // Nothing is new.
    world.check(options(), &[]);
}

#[test]
fn a_source_may_begin_anywhere_in_the_layout() {
    let whole = folder(ACCOUNT, "us-east-1", D1);
    let parts: Vec<&str> = whole.split('/').collect();
    for cut in 0..=parts.len() {
        let mut world = World::new(1);
        let inner = parts[cut..].join("/");
        for letter in ['b', 'a'] {
            let name = name(ACCOUNT, "us-east-1", D1, 1, letter);
            world.add(0, format!("{inner}/{name}").trim_start_matches('/'));
        }
        let expect = ["2026-11-01".to_owned(), planned(D1, 'a'), planned(D1, 'b')];
        world.check(options(), &texts(&expect));
        world.check(options(), &[]);
    }
}

#[test]
fn late_files_are_found_within_the_look_back() {
    let days: Vec<String> = (1..=12).map(|day| format!("2026/11/{day:02}")).collect();
    let mut world = World::new(1);
    for day in &days {
        world.add(0, &file(day, 'a'));
    }
    assert_eq!(world.run(options()).len(), 24);
    for day in &days {
        world.add(0, &file(day, 'b'));
    }
    let late = |days: &[String]| -> Vec<String> {
        let lines = days
            .iter()
            .map(|day| [day.replace('/', "-"), planned(day, 'b')]);
        lines.flatten().collect()
    };
    // The last day is the 12th: from the 5th on.
    world.check(options(), &texts(&late(&days[4..])));
    world.check(options(), &[]);
    let look_back_days = 10;
    let longer = PlanOptions {
        look_back_days,
        ..options()
    };
    world.check(longer, &texts(&late(&days[1..4])));
}

#[test]
fn a_place_or_a_day_that_no_plan_has_read_is_read_however_old() {
    let mut world = World::new(1);
    world.add(0, &file("2026/11/20", 'a'));
    world.run(options());
    // A new account, a new Region and an older day of a known one: all long before.
    world.add(0, &log("444455556666", "us-east-1", "2020/02/29", 1, 'a'));
    world.add(0, &log(ACCOUNT, "eu-west-1", "2025/01/01", 1, 'a'));
    world.add(0, &file("2026/03/01", 'a'));
    world.check(
        options(),
        &[
            "2020-02-29",
            &format!(
                "  0 {}",
                name("444455556666", "us-east-1", "2020/02/29", 1, 'a')
            ),
            "2025-01-01",
            &format!("  0 {}", name(ACCOUNT, "eu-west-1", "2025/01/01", 1, 'a')),
            "2026-03-01",
            &planned("2026/03/01", 'a'),
        ],
    );
    // A day in the far future does not hide what comes until then.
    world.add(0, &file("2099/01/01", 'a'));
    assert_eq!(world.run(options()).len(), 2);
    world.add(0, &file("2026/11/21", 'a'));
    world.check(options(), &["2026-11-21", &planned("2026/11/21", 'a')]);
}

#[test]
fn since_and_until_limit_what_is_listed() {
    let days: Vec<String> = (1..=28).map(|day| format!("2026/11/{day:02}")).collect();
    let mut world = World::new(1);
    for day in &days {
        world.add(0, &file(day, 'a'));
    }
    let backup = name(ACCOUNT, "us-east-1", "2026/11/01", 2, 'x');
    world.add(0, &format!("AWSLogs/old/{backup}"));
    world.add(0, "AWSLogs/undated.json");
    let range = PlanOptions {
        since: parse_day("2026-11-03"),
        until: parse_day("2026-11-05"),
        look_back_days: 2,
        ..options()
    };
    let lines = world.run(range);
    let found: Vec<&str> = lines
        .iter()
        .map(String::as_str)
        .filter(|l| !l.starts_with(' '))
        .collect();
    assert_eq!(
        found,
        [
            "unknown",
            "2026-11-03",
            "2026-11-04",
            "2026-11-05",
            "2026-11-06",
            "2026-11-07"
        ]
    );
    // The rest is not lost: the next run without limits reads it.
    let lines = world.run(options());
    let found = lines.iter().filter(|l| !l.starts_with(' ')).count();
    assert_eq!(found, 28 - 5);
    assert!(lines.contains(&format!("  0 {backup}")));
    world.check(options(), &[]);
}

#[test]
fn the_same_name_is_the_same_file_under_any_root() {
    let mut world = World::new(2);
    world.add(0, &file(D1, 'a'));
    world.add(0, "AWSLogs/export.json");
    world.run(options());
    // A copy of it all in another source, flat; one file is new, and a name of no meaning is another
    // file there.
    world.add(1, &name(ACCOUNT, "us-east-1", D1, 1, 'a'));
    world.add(1, &name(ACCOUNT, "us-east-1", D1, 1, 'b'));
    world.add(1, "export.json");
    world.check(
        options(),
        &[
            "unknown",
            "  1 export.json",
            "2026-11-01",
            &planned(D1, 'b').replace("  0", "  1"),
        ],
    );
    let (plans, left_over) = world.plans(options());
    assert_eq!(plans, []);
    assert_eq!(left_over.read_before, 5);
}

#[test]
fn replaced_days_are_planned_whole() {
    let mut world = World::with(&[&file(D1, 'a'), &file(D2, 'a'), &file(D3, 'a')]);
    world.run(options());
    world.add(0, &file(D2, 'b'));
    world.run(options());
    world.add(0, &file(D1, 'c'));
    fs::remove_file(world.folder.path().join("s0").join(file(D2, 'a'))).unwrap();
    let replace = || PlanOptions {
        replace: vec!["2026-11-02..2026-11-02".parse().unwrap()],
        ..options()
    };
    let (plans, _) = world.plans(replace());
    assert_eq!(plans[1].gone, 1);
    // Plan 1 is the first day's, 2 and 4 the second's.
    world.check(
        replace(),
        &[
            "2026-11-01",
            &planned(D1, 'c'),
            "2026-11-02 for [2, 4]",
            &planned(D2, 'b'),
        ],
    );
    world.check(options(), &[]);
}

#[test]
fn a_recomputation_plans_all_days_whole() {
    let mut world = World::with(&[&file(D1, 'a'), "AWSLogs/a.json", "AWSLogs/b.json"]);
    world.run(options());
    let recompute = || PlanOptions {
        recompute: true,
        ..options()
    };
    world.check(
        recompute(),
        &[
            "unknown for [1]",
            "  0 a.json",
            "  0 b.json",
            "2026-11-01 for [2]",
            &planned(D1, 'a'),
        ],
    );
    // What is not there any more is not replaced by nothing.
    fs::remove_dir_all(world.folder.path().join("s0/AWSLogs").join(ACCOUNT)).unwrap();
    world.check(
        recompute(),
        &["unknown for [3]", "  0 a.json", "  0 b.json"],
    );
}

#[test]
fn pruned_days_count_as_done() {
    let mut world = World::with(&[
        &file(D1, 'a'),
        &file(D2, 'a'),
        "AWSLogs/x/a_20261101T0000Z.json",
        "AWSLogs/undated.json",
    ]);
    world.before.pruned_before = parse_day("2026-11-02");
    world.check(
        options(),
        &[
            "unknown",
            "  0 undated.json",
            "2026-11-02",
            &planned(D2, 'a'),
        ],
    );
}

#[test]
fn files_to_retry_are_planned_under_their_days() {
    let mut world = World::with(&[&file(D1, 'a'), &file(D2, 'a'), "AWSLogs/a.json"]);
    world.run(options());
    world.add(0, &file(D2, 'b'));
    let retry = |key: &str| PlannedFile::new(0, key.to_owned(), 1);
    world.before.retry = vec![
        retry(&file(D2, 'a')),
        retry(&file(D1, 'a')),
        retry("AWSLogs/a.json"),
        // Long before anything that is listed.
        retry(&file("2020/01/01", 'a')),
    ];
    let expect = [
        "unknown".to_owned(),
        "  0 a.json".to_owned(),
        "2020-01-01".to_owned(),
        planned("2020/01/01", 'a'),
        "2026-11-01".to_owned(),
        planned(D1, 'a'),
        "2026-11-02".to_owned(),
        planned(D2, 'a'),
        planned(D2, 'b'),
    ];
    assert_eq!(lines(&world.plans(options()).0), expect);
    // Planned whole, none comes twice.
    let recompute = PlanOptions {
        recompute: true,
        ..options()
    };
    let whole: Vec<String> = world.run(recompute);
    let files = |lines: &[String]| -> Vec<String> {
        lines
            .iter()
            .filter(|l| l.starts_with(' '))
            .cloned()
            .collect()
    };
    assert_eq!(files(&whole), files(&expect));
}

#[test]
fn a_list_says_exactly_which_files() {
    let mut world = World::with(&[&file(D1, 'a'), &file(D2, 'a'), &file(D2, 'b'), "notes.txt"]);
    world.run(PlanOptions {
        files_from: list(&[&file(D2, 'a')]),
        ..options()
    });
    let again = || PlanOptions {
        // Neither the limits nor the layout count; what was read does.
        since: parse_day("2030-01-01"),
        files_from: list(&[
            &file(D2, 'b'),
            "none.json",
            &file(D1, 'a'),
            &file(D2, 'a'),
            &file(D2, 'b'),
            "notes.txt",
        ]),
        ..options()
    };
    let (plans, left_over) = world.plans(again());
    assert_eq!(
        lines(&plans),
        [
            "unknown".to_owned(),
            "  0 none.json".to_owned(),
            "2026-11-01".to_owned(),
            planned(D1, 'a'),
            "2026-11-02".to_owned(),
            planned(D2, 'b'),
        ]
    );
    let aside = plans[0].set_aside.other + left_over.set_aside.other;
    assert_eq!((aside, left_over.read_before), (1, 1));
    assert_eq!(plans[1].files[0].size, file(D1, 'a').len() as u64);
    let wrong = PlanOptions {
        files_from: list(&["", "s3://bucket/key"]),
        ..options()
    };
    let error = world.planner(wrong).err().unwrap();
    assert_eq!(
        error.to_string(),
        "line 2 of the list of files: `s3://bucket/key` is in none of the given sources"
    );
}

fn list(lines: &[&str]) -> Option<Box<dyn std::io::BufRead + Send>> {
    Some(Box::new(Cursor::new(lines.join("\n").into_bytes())))
}

#[test]
fn what_is_no_log_is_set_aside() {
    let day = folder(ACCOUNT, "us-east-1", D1);
    let digests = day.replace("CloudTrail", "CloudTrail-Digest");
    let world = World::with(&[
        &file(D1, 'a'),
        &format!("{day}/notes.txt"),
        &format!("{digests}/a.json.gz"),
        &format!("{digests}/b.json.gz"),
        &format!(
            "{}/a.json.gz",
            day.replace("CloudTrail", "CloudTrail-Insight")
        ),
        // Another service: one folder, however much is in it.
        &format!("{}/a.json.gz", day.replace("CloudTrail", "Config")),
        &format!("{}/b.json.gz", day.replace("CloudTrail", "Config")),
        // Beside the layout: files, a snapshot that is given as such, and days.
        "beside.json",
        "iam/accounts/a.json",
        "iam/snapshot.json",
        "iamb.json",
        "CloudTrail/x/2026/11/01/a.json",
        "CloudTrail/x/2026/11/01/b.json",
    ]);
    let excluded = PlanOptions {
        excluded: vec![vec!["iam".to_owned()]],
        ..options()
    };
    let (plans, left_over) = world.plans(excluded);
    assert_eq!(lines(&plans), ["2026-11-01".to_owned(), planned(D1, 'a')]);
    let expected = SetAside {
        digest: 2,
        insight: 1,
        notification: 0,
        other: 1 + 1 + 1 + 2 + 1 + 1,
    };
    // What the way to the days meets is no day's.
    let mut all = left_over.set_aside;
    all.merge(plans[0].set_aside);
    assert_eq!(all, expected);
}

#[test]
fn excluded_keys_hold_in_delivery_days_too() {
    let day = folder(ACCOUNT, "us-east-1", D1);
    let world = World::with(&[&file(D1, 'a'), &format!("{day}/iam/a.json"), "x/iam.json"]);
    let excluded = PlanOptions {
        excluded: vec![vec![format!("{day}/iam/"), "x/iam.json".to_owned()]],
        ..options()
    };
    let (plans, left_over) = world.plans(excluded);
    assert_eq!(lines(&plans), ["2026-11-01".to_owned(), planned(D1, 'a')]);
    assert_eq!(plans[0].set_aside.other + left_over.set_aside.other, 2);
}

#[test]
fn without_new_files_there_is_no_plan_but_a_count() {
    let digests = folder(ACCOUNT, "us-east-1", D1).replace("CloudTrail", "CloudTrail-Digest");
    let mut world = World::with(&[&file(D1, 'a'), &format!("{digests}/a.json.gz"), "a.txt"]);
    world.run(options());
    let (plans, left_over) = world.plans(options());
    assert_eq!(plans, []);
    assert_eq!(
        (left_over.set_aside.digest, left_over.set_aside.other),
        (1, 1)
    );
    assert_eq!(left_over.read_before, 1);
}

#[test]
fn hostile_names_are_planned_as_any() {
    let day = folder(ACCOUNT, "us-east-1", D1);
    let names = [
        "a\nb.json",
        "\u{1b}[2J.json",
        "100%.json",
        "\"quoted\\.json",
        "[0,\"x\",1].json",
        "\u{202e}nosj.json",
    ];
    let keys: Vec<String> = names.iter().map(|name| format!("{day}/{name}")).collect();
    let undated: Vec<&str> = names.to_vec();
    let mut world = World::new(2);
    for key in &keys {
        world.add(0, key);
    }
    for key in undated {
        world.add(1, key);
    }
    let encoded = [
        "\"quoted\\.json",
        "%1B[2J.json",
        "%E2%80%AEnosj.json",
        "100%25.json",
        "[0,\"x\",1].json",
        "a%0Ab.json",
    ];
    let plan = |day: &str, source: usize| {
        let files = encoded.iter().map(move |name| format!("  {source} {name}"));
        [day.to_owned()].into_iter().chain(files)
    };
    let expect: Vec<String> = plan("unknown", 1).chain(plan("2026-11-01", 0)).collect();
    world.check(options(), &texts(&expect));
    world.check(options(), &[]);
}

#[cfg(unix)]
#[test]
fn what_cannot_be_listed_belongs_to_its_day() {
    use std::os::unix::fs::symlink;

    let day = folder(ACCOUNT, "us-east-1", D2);
    let mut world = World::with(&[&file(D1, 'a'), &file(D2, 'a')]);
    let root = world.folder.path().join("s0");
    symlink("nowhere", root.join("broken.json")).unwrap();
    symlink("nowhere", root.join(&day).join("broken.json")).unwrap();
    symlink("..", root.join("AWSLogs/up")).unwrap();
    world.check(
        options(),
        &[
            "unknown",
            "  ! `AWSLogs/up` is a symbolic link to a folder that contains it",
            "  ! cannot list `broken.json`: not found",
            "2026-11-01",
            &planned(D1, 'a'),
            "2026-11-02",
            &planned(D2, 'a'),
            &format!("  ! cannot list `{day}/broken.json`: not found"),
        ],
    );
    // The next run has nothing new, and still knows.
    let (plans, left_over) = world.plans(options());
    assert_eq!(plans, []);
    assert_eq!(left_over.unlisted.len(), 3);
    // A day that could not be listed whole is listed again, however old.
    for day in 3..=28 {
        world.add(0, &file(&format!("2026/11/{day:02}"), 'a'));
    }
    world.run(options());
    world.add(0, &file(D1, 'b'));
    world.add(0, &file(D2, 'b'));
    world.check(options(), &["2026-11-02", &planned(D2, 'b')]);
}

/// A source that notes which folders are looked into.
struct Noting {
    inner: FolderSource,
    seen: Mutex<Vec<String>>,
}

impl Source for Noting {
    fn list(&self, _range: &Range) -> Listing {
        panic!("nothing is listed whole");
    }

    fn folders(&self, folder: &str) -> Result<Vec<String>, StorageError> {
        self.inner.folders(folder)
    }

    fn children<'s>(&'s self, folder: &str) -> Children<'s> {
        self.seen.lock().unwrap().push(folder.to_owned());
        self.inner.children(folder)
    }

    fn open(&self, key: &str) -> Result<Box<dyn std::io::Read + Send>, StorageError> {
        self.inner.open(key)
    }

    fn location(&self) -> &str {
        self.inner.location()
    }
}

#[test]
fn only_the_days_that_may_have_news_are_listed() {
    let mut world = World::new(1);
    for month in 1..=11 {
        for day in 1..=28 {
            world.add(0, &file(&format!("2026/{month:02}/{day:02}"), 'a'));
        }
    }
    world.add(
        0,
        &format!(
            "{}/a.json",
            folder(ACCOUNT, "x", D1).replace("CloudTrail", "Config")
        ),
    );
    world.run(options());
    let noting = Box::new(Noting {
        inner: FolderSource::open(&world.folder.path().join("s0")).unwrap(),
        seen: Mutex::default(),
    });
    let noting: &'static Noting = Box::leak(noting);
    struct Borrowed(&'static Noting);
    impl Source for Borrowed {
        fn list(&self, range: &Range) -> Listing {
            self.0.list(range)
        }
        fn folders(&self, folder: &str) -> Result<Vec<String>, StorageError> {
            self.0.folders(folder)
        }
        fn children<'s>(&'s self, folder: &str) -> Children<'s> {
            self.0.children(folder)
        }
        fn open(&self, key: &str) -> Result<Box<dyn std::io::Read + Send>, StorageError> {
            self.0.open(key)
        }
        fn location(&self) -> &str {
            self.0.location()
        }
    }
    world.sources = vec![Box::new(Borrowed(noting))];
    world.check(options(), &[]);
    let mut seen = std::mem::take(&mut *noting.seen.lock().unwrap());
    let place = format!("AWSLogs/{ACCOUNT}/CloudTrail/us-east-1/");
    assert!(seen.iter().all(|folder| !folder.contains("Config")));
    seen.retain(|folder| folder.starts_with(&place));
    let days: Vec<&String> = seen
        .iter()
        .filter(|f| f.matches('/').count() == 7)
        .collect();
    // The 21st to the 28th.
    assert_eq!(days.len(), 8, "{days:?}");
    // The Region, the year, and the months that have a day without files: all but February.
    assert_eq!(seen.len(), 8 + 2 + 10, "{seen:?}");
}

#[test]
fn undated_files_come_in_portions() {
    let mut world = World::new(1);
    let lines: Vec<String> = (0..250_000).map(|n| format!("{n:06}.json")).collect();
    // Listed twice, a file is one; also where a portion ends.
    let text = format!("{}\n{}", lines.join("\n"), lines[99_999]);
    let list = || PlanOptions {
        files_from: Some(Box::new(Cursor::new(text.clone().into_bytes()))),
        ..options()
    };
    let (plans, _) = world.plans(list());
    let sizes: Vec<usize> = plans.iter().map(|plan| plan.files.len()).collect();
    assert_eq!(sizes, [100_000, 100_000, 50_000]);
    assert!(plans.iter().all(|plan| plan.day.is_none()));
    let keys = plans.iter().flat_map(|plan| &plan.files).map(|f| &f.key);
    assert!(keys.eq(lines.iter()));
    // A run that ended after the first goes on with the same portions.
    let reference = plans[0].reference(1);
    let bytes = plans[0].to_bytes(1, &world.names());
    world
        .store
        .put(&reference.key, &bytes, Condition::IfAbsent)
        .unwrap();
    world.before.plans = vec![reference];
    let (rest, left_over) = world.plans(list());
    assert_eq!(rest, plans[1..]);
    assert_eq!(left_over.read_before, 100_000);
}

#[test]
fn a_missing_plan_is_an_error_with_its_name() {
    let mut world = World::with(&[&file(D1, 'a')]);
    world.run(options());
    world.store.delete("_retrial/plans/000001.jsonl").unwrap();
    let error = world.planner(options()).err().unwrap();
    assert_eq!(
        error.to_string(),
        "the stored plan `_retrial/plans/000001.jsonl` is missing"
    );
}

#[test]
fn the_status_of_an_output() {
    let mut world = World::new(1);
    for (region, day) in [
        ("us-east-1", "2026/11/01"),
        ("us-east-1", "2026/11/02"),
        ("us-east-1", "2026/11/05"),
        ("us-east-1", "2026/11/09"),
        ("eu-west-1", "2026/11/02"),
    ] {
        world.add(0, &log(ACCOUNT, region, day, 1, 'a'));
    }
    world.add(0, "AWSLogs/undated.json");
    world.run(options());
    world.add(0, &file("2026/11/02", 'b'));
    world.run(options());
    world.add(0, &file("2026/11/10", 'a'));
    world.add(0, &file("2026/11/10", 'b'));
    world.run(options());
    let last = world.before.plans.pop().unwrap();
    world
        .store
        .put("decisions/a", b"12345", Condition::Always)
        .unwrap();
    world
        .store
        .put("decisions/b", b"12345", Condition::Always)
        .unwrap();
    let plans = world.before.plans.clone();
    let keys: Vec<String> = plans.iter().chain([&last]).map(|p| p.key.clone()).collect();
    let listed = |key, bytes| ListedObject { key, bytes };
    let mut objects: Vec<_> = keys.iter().map(|key| listed(key, None)).collect();
    objects.push(listed("decisions/a", Some(6)));
    objects.push(listed("decisions/c", Some(5)));
    let parts = StatusParts {
        plans: &plans,
        interrupted: Some((&last, 1)),
        objects,
        waiting: 3,
        retry: 2,
        pruned_before: None,
    };
    let status = status(&world.store, &parts).unwrap();
    assert_eq!(
        status.days_done,
        [
            "2026-11-01",
            "2026-11-02",
            "2026-11-05",
            "2026-11-09",
            "unknown"
        ]
    );
    let size = file(D1, 'a').len() as u64;
    assert_eq!((status.files, status.bytes), (7, 6 * size + 20));
    assert_eq!((status.waiting, status.retry), (3, 2));
    let found: BTreeMap<_, _> = status
        .places
        .iter()
        .map(|place| {
            let days: Vec<String> = place
                .days
                .iter()
                .map(|day| format!("{} {} {}", day.delivery_date, day.files, day.bytes / size))
                .collect();
            let gaps = place
                .gaps
                .iter()
                .map(|gap| format!("{}..{}", gap.first, gap.last));
            let gaps: Vec<String> = gaps.collect();
            let region = place.region.clone().unwrap_or_default();
            (region, format!("{} | {}", days.join(", "), gaps.join(", ")))
        })
        .collect();
    let expect = [
        ("", "unknown 1 0 | "),
        ("eu-west-1", "2026-11-02 1 1 | "),
        (
            "us-east-1",
            "2026-11-01 1 1, 2026-11-02 2 2, 2026-11-05 1 1, 2026-11-09 1 1 | 2026-11-03..2026-11-04, 2026-11-06..2026-11-08",
        ),
    ];
    assert_eq!(
        found,
        expect
            .map(|(region, text)| (region.to_owned(), text.to_owned()))
            .into()
    );
    assert_eq!(
        status.interrupted,
        Some(Interrupted {
            delivery_date: "2026-11-10".to_owned(),
            files: 2,
            bytes: 2 * size,
            files_left: 1,
            bytes_left: size,
        })
    );
    assert_eq!(
        status.health,
        Health {
            missing: vec!["decisions/c".to_owned()],
            resized: vec!["decisions/a".to_owned()],
            unlisted: vec!["decisions/b".to_owned()],
        }
    );
    assert!(!status.health.is_sound());
}

/// Whatever was there when, day by day plans the same files as all at once, each once.
#[test]
fn day_by_day_is_all_at_once() {
    let days: Vec<String> = (1..=20).map(|day| format!("2026/11/{day:02}")).collect();
    let places = [
        (ACCOUNT, "us-east-1"),
        (ACCOUNT, "eu-west-1"),
        ("444455556666", "us-east-1"),
    ];
    let mut daily = World::new(1);
    let mut planned = Vec::new();
    for at in 0..days.len() {
        for (place, (account, region)) in places.into_iter().enumerate() {
            // Each delivers a file of today, and one of some days ago.
            for (lateness, letter) in [(0, 'a'), ((at * 5 + place) % 8, 'b')] {
                if let Some(day) = at.checked_sub(lateness).and_then(|at| days.get(at)) {
                    let hour = u8::try_from(at).unwrap();
                    daily.add(0, &log(account, region, day, hour, letter));
                }
            }
        }
        daily.add(0, &format!("AWSLogs/exports/{at}.json"));
        let lines = daily.run(options());
        planned.extend(lines.into_iter().filter(|line| line.starts_with(' ')));
    }
    let before = std::mem::take(&mut daily.before);
    assert!(before.plans.len() > 40);
    daily.store = FolderStore::create(&daily.folder.path().join("again")).unwrap();
    let mut at_once = daily.run(options());
    at_once.retain(|line| line.starts_with(' '));
    planned.sort();
    at_once.sort();
    assert_eq!(planned, at_once);
}
