//! Real records, where they are at hand; they are no part of this repository.

use std::fs;
use std::path::{Path, PathBuf};

use retrial_cloudtrail::{
    FileKind, Framed, Limits, LogFileReader, Part, PartBudget, ReadBuffers, RecordParser,
};

/// The samples' folder beside the repository. Without it the test is skipped, but not in CI.
fn folder() -> Option<PathBuf> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let folder = root.join("../shared/cloudtrail-samples");
    if folder.is_dir() {
        return Some(folder);
    }
    assert!(
        std::env::var_os("CI").is_none(),
        "the sample records are missing"
    );
    eprintln!("skipped: no sample records beside the repository");
    None
}

fn log_files(folder: &Path, files: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            log_files(&path, files);
        } else if path.extension().is_some_and(|ending| ending == "gz") {
            files.push(path);
        }
    }
}

#[test]
fn all_sample_records_are_read() {
    let Some(folder) = folder() else { return };
    let mut files = Vec::new();
    log_files(&folder, &mut files);
    assert_eq!(files.len(), 450);
    let mut buffers = ReadBuffers::new();
    let mut parser = RecordParser::new();
    let (mut records, mut timed, mut insight_files) = (0, 0, 0);
    for path in files {
        let mut reader =
            LogFileReader::with_buffers(fs::File::open(&path).unwrap(), Limits::default(), buffers);
        let part = reader.read_part(PartBudget::UNLIMITED, &mut |framed| match framed {
            Framed::Record { text, .. } => {
                records += 1;
                crate::json::check(text);
                timed += parser
                    .parse(text, |record| u64::from(record.event_time.is_some()))
                    .unwrap();
            }
            Framed::Rejected(reject) => panic!("{}: {}", path.display(), reject.reason),
        });
        let Part::End(kind) = part else {
            panic!("{part:?}")
        };
        assert!(
            matches!(kind, FileKind::Events | FileKind::Insight),
            "{}: {kind:?}",
            path.display()
        );
        insight_files += u64::from(kind == FileKind::Insight);
        buffers = reader.into_buffers();
    }
    assert_eq!((records, insight_files), (3_487, 1));
    eprintln!("{timed} of {records} records have an instant as eventTime");
}
