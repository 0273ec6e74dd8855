//! Writes rows like those of a busy account and prints rows per second and bytes per row:
//! `cargo run --release -p retrial-tables --example throughput [rows]`.
#![expect(
    clippy::print_stdout,
    clippy::disallowed_methods,
    reason = "an example is a program: it prints, takes the time and reads its arguments"
)]

use std::error::Error;
use std::io::Write;
use std::time::Instant;

use parquet::file::reader::{FileReader, SerializedFileReader};
use retrial_tables::{DecisionRow, Decisions, DeterminedBy, TableWriter, TextListMap, sort_order};

/// As many as the pipeline sorts and writes at a time.
const SLICE: usize = 40_000;

/// What differs from row to row, in owned form.
struct Texts {
    event_id: String,
    time: i64,
    principal: usize,
    principal_arn: String,
    session_name: String,
    access_key_id: String,
    source_ip: String,
    action: usize,
    resource_arn: String,
    token_issued: String,
    log_file: String,
    record_index: u64,
}

const ACTIONS: [(&str, &str, &str); 6] = [
    ("s3.amazonaws.com", "GetObject", "s3:GetObject"),
    ("s3.amazonaws.com", "PutObject", "s3:PutObject"),
    (
        "sagemaker.amazonaws.com",
        "DescribeTrainingJob",
        "sagemaker:DescribeTrainingJob",
    ),
    ("kms.amazonaws.com", "Decrypt", "kms:Decrypt"),
    ("sts.amazonaws.com", "AssumeRole", "sts:AssumeRole"),
    ("ecr.amazonaws.com", "BatchGetImage", "ecr:BatchGetImage"),
];

/// Knuth's linear congruential generator: the same rows every time.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        self.0 >> 20
    }

    fn below(&mut self, limit: usize) -> usize {
        usize::try_from(self.next()).unwrap_or(0) % limit
    }
}

fn texts(random: &mut Random, number: usize) -> Texts {
    let principal = random.below(3_000);
    let action = random.below(ACTIONS.len());
    let (a, b) = (random.next(), random.next());
    let day = 1_793_577_600;
    let second = i64::try_from(random.below(86_400)).unwrap_or(0);
    Texts {
        event_id: format!(
            "{:08x}-{:04x}-4{:03x}-8{:03x}-{:012x}",
            a >> 12,
            a & 0xffff,
            a % 4096,
            b % 4096,
            b
        ),
        time: (day + second) * 1_000_000,
        principal,
        principal_arn: format!(
            "arn:aws:iam::111122223333:role/team-{}/service-{principal}",
            principal % 40
        ),
        session_name: format!("i-{:017x}", principal * 7919 + random.below(20)),
        access_key_id: format!("ASIA{:016X}", principal * 104_729 + random.below(40)),
        source_ip: format!(
            "10.{}.{}.{}",
            principal % 200,
            random.below(40),
            random.below(250)
        ),
        action,
        resource_arn: match action {
            0 | 1 => format!(
                "arn:aws:s3:::data-lake-{}/year=2026/month=11/day=02/part-{a:012x}.parquet",
                principal % 60
            ),
            2 => format!(
                "arn:aws:sagemaker:eu-west-1:111122223333:training-job/train-{}",
                a % 5_000
            ),
            3 => format!(
                "arn:aws:kms:eu-west-1:111122223333:key/00000000-1111-2222-3333-{:012x}",
                principal % 50
            ),
            4 => format!("arn:aws:iam::111122223333:role/target-{}", a % 300),
            _ => format!(
                "arn:aws:ecr:eu-west-1:111122223333:repository/app-{}",
                a % 200
            ),
        },
        token_issued: format!(
            "2026-11-02T{:02}:{:02}:{:02}Z",
            random.below(24),
            random.below(60),
            principal % 60
        ),
        log_file: format!(
            "AWSLogs/111122223333/CloudTrail/eu-west-1/2026/11/02/111122223333_CloudTrail_eu-west-1_20261102T{:04}Z_{:016x}.json.gz",
            number / 500 % 2400,
            (number / 500) * 0x9e37_79b9
        ),
        record_index: u64::try_from(number % 500).unwrap_or(0),
    }
}

/// Known condition keys of a row: some twenty, as the replay computes them.
fn context(texts: &Texts) -> Vec<(&str, Vec<&str>)> {
    let mut context: Vec<(&str, Vec<&str>)> = vec![
        ("aws:CalledVia", vec![]),
        ("aws:CalledViaFirst", vec![]),
        ("aws:CalledViaLast", vec![]),
        ("aws:MultiFactorAuthPresent", vec!["false"]),
        ("aws:PrincipalAccount", vec!["111122223333"]),
        ("aws:PrincipalArn", vec![&texts.principal_arn]),
        ("aws:PrincipalIsAWSService", vec!["false"]),
        ("aws:PrincipalOrgID", vec!["o-a1b2c3d4e5"]),
        ("aws:PrincipalTag/team", vec!["ml"]),
        ("aws:PrincipalType", vec!["AssumedRole"]),
        ("aws:RequestedRegion", vec!["eu-west-1"]),
        ("aws:ResourceAccount", vec!["111122223333"]),
        ("aws:SecureTransport", vec!["true"]),
        ("aws:SourceIp", vec![&texts.source_ip]),
        ("aws:SourceVpc", vec![]),
        ("aws:SourceVpce", vec![]),
        ("aws:TokenIssueTime", vec![&texts.token_issued]),
        ("aws:UserAgent", vec!["aws-sdk-python/1.40 (Linux; x86_64)"]),
        ("aws:ViaAWSService", vec!["false"]),
        ("aws:userid", vec![&texts.session_name]),
    ];
    if texts.action < 2 {
        context.push(("s3:TlsVersion", vec!["1.3"]));
        context.push(("s3:authType", vec!["REST-HEADER"]));
        context.push(("s3:x-amz-server-side-encryption", vec!["aws:kms"]));
    }
    context
}

fn row<'a>(
    texts: &'a Texts,
    context: &'a [(&'a str, &'a [&'a str])],
    determined_by: &'a [DeterminedBy<'a>],
) -> DecisionRow<'a> {
    let (event_source, event_name, action) = ACTIONS.get(texts.action).copied().unwrap_or_default();
    DecisionRow {
        event_id: Some(&texts.event_id),
        event_time: Some(texts.time),
        account_id: Some("111122223333"),
        region: Some("eu-west-1"),
        event_source: Some(event_source),
        event_name: Some(event_name),
        principal_arn: Some(&texts.principal_arn),
        principal_type: Some("AssumedRole"),
        session_name: Some(&texts.session_name),
        principal_id: Some("AROAEXAMPLEEXAMPLE"),
        caller_account_id: Some("111122223333"),
        access_key_id: Some(&texts.access_key_id),
        source_ip: Some(&texts.source_ip),
        action: Some(action),
        resource_arn: Some(&texts.resource_arn),
        resource_account: Some("111122223333"),
        required: Some(true),
        context: TextListMap::Pairs(context),
        outcome: "succeeded",
        decision: Some("allowed"),
        call_decision: Some("allowed"),
        verdict: "agrees",
        mapping: Some("verified"),
        determined_by,
        assumes: &["scp", "rcp"],
        snapshot_id: "3f2a9c",
        mapping_version: "1",
        log_file: &texts.log_file,
        record_index: texts.record_index,
        ..DecisionRow::default()
    }
}

fn write_all(slices: &[Vec<&DecisionRow<'_>>], threads: usize) -> Result<Vec<u8>, Box<dyn Error>> {
    let pool = rayon::ThreadPoolBuilder::new()
        .num_threads(threads)
        .build()?;
    let rows: usize = slices.iter().map(Vec::len).sum();
    let start = Instant::now();
    let written = pool.install(|| {
        let mut writer = TableWriter::<Decisions, Vec<u8>>::new(Vec::new())?;
        for slice in slices {
            writer.write(slice)?;
        }
        writer.finish()
    })?;
    let elapsed = start.elapsed().as_secs_f64();
    let count = rows as f64;
    println!(
        "{threads} thread(s): {:.0} rows/s, {:.1} bytes/row, {} row groups",
        count / elapsed,
        written.bytes as f64 / count,
        written.row_groups
    );
    Ok(written.output)
}

fn main() -> Result<(), Box<dyn Error>> {
    let count: usize = match std::env::args().nth(1) {
        Some(text) => text.parse()?,
        None => 200_000,
    };
    let mut random = Random(2026);
    let texts: Vec<Texts> = (0..count)
        .map(|number| texts(&mut random, number))
        .collect();
    let contexts: Vec<Vec<(&str, Vec<&str>)>> = texts.iter().map(context).collect();
    let contexts: Vec<Vec<(&str, &[&str])>> = contexts
        .iter()
        .map(|context| {
            context
                .iter()
                .map(|(key, values)| (*key, values.as_slice()))
                .collect()
        })
        .collect();
    let policies: Vec<[DeterminedBy<'_>; 1]> = texts
        .iter()
        .map(|texts| {
            [DeterminedBy {
                layer: "identity",
                policy: [
                    "arn:aws:iam::111122223333:policy/data",
                    "arn:aws:iam::111122223333:policy/train",
                ]
                .get(texts.principal % 2)
                .copied()
                .unwrap_or_default(),
                index: 0,
                sid: Some("ReadData"),
                effect: "Allow",
            }]
        })
        .collect();
    let rows: Vec<DecisionRow<'_>> = texts
        .iter()
        .zip(&contexts)
        .zip(&policies)
        .map(|((texts, context), policies)| row(texts, context, policies))
        .collect();
    let slices: Vec<Vec<&DecisionRow<'_>>> = rows
        .chunks(SLICE)
        .map(|slice| {
            let mut slice: Vec<_> = slice.iter().collect();
            slice.sort_by(|a, b| sort_order::<Decisions>(a, b));
            slice
        })
        .collect();

    // More runs, to tell the cost of writing from that of making the rows.
    let runs = match std::env::args().nth(3) {
        Some(text) => text.parse()?,
        None => 1,
    };
    for _ in 0..runs {
        write_all(&slices, 1)?;
    }
    let file = write_all(&slices, 2)?;
    if let Some(path) = std::env::args().nth(2) {
        std::fs::write(path, &file)?;
    }
    print_columns(&file, count)
}

/// The columns that take most of the file.
fn print_columns(file: &[u8], count: usize) -> Result<(), Box<dyn Error>> {
    let mut copy = tempfile::tempfile()?;
    copy.write_all(file)?;
    let reader = SerializedFileReader::new(copy)?;
    let mut sizes: std::collections::BTreeMap<String, i64> = Default::default();
    for group in reader.metadata().row_groups() {
        for column in group.columns() {
            *sizes.entry(column.column_path().string()).or_default() += column.compressed_size();
        }
    }
    let mut sizes: Vec<(i64, String)> =
        sizes.into_iter().map(|(name, size)| (size, name)).collect();
    sizes.sort_unstable_by(|a, b| b.cmp(a));
    for (size, name) in sizes.iter().take(15) {
        println!("{:8.2} bytes/row  {name}", *size as f64 / count as f64);
    }
    Ok(())
}
