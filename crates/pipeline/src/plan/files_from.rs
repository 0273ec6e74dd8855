//! A list of files from elsewhere, instead of listing the sources.
//!
//! A line is one of:
//! * a file within a source, named as the source was given: `s3://bucket/prefix/key`, `logs/key`;
//! * a key alone, where only one source was given;
//! * a line of an S3 Inventory in CSV: `"bucket","key"`, perhaps with `"size"` third. Its keys are
//!   URL-encoded; see
//!   <https://docs.aws.amazon.com/AmazonS3/latest/userguide/storage-inventory.html>.
//!
//! Empty lines count for nothing. Keys stand as they are or as Retrial prints them
//! ([`retrial_storage::key`]).

use std::io::BufRead;

use retrial_storage::key::{decode_name, encode_bytes};
use retrial_storage::{Source, StorageError};

use super::error::{FilesFromProblem, PlanError};
use crate::analyze::PipelineError;

/// Longer than any line with a bucket, a key of 1,024 bytes that are each encoded, and the other
/// columns of an inventory.
const MAX_LINE: usize = 64 << 10;

/// One file of a list.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct ListedFile {
    pub(crate) source: usize,
    pub(crate) key: String,
    pub(crate) size: u64,
}

/// Calls `each` for each file of the list.
pub(crate) fn read_list(
    list: &mut dyn BufRead,
    sources: &[Box<dyn Source>],
    each: &mut dyn FnMut(ListedFile) -> Result<(), PipelineError>,
) -> Result<(), PipelineError> {
    let locations: Vec<&str> = sources.iter().map(|source| source.location()).collect();
    let mut line = Vec::new();
    for number in 1.. {
        let failed = |problem| PlanError::FilesFrom {
            line: number,
            problem,
        };
        if !next_line(list, &mut line).map_err(failed)? {
            break;
        }
        let text = str::from_utf8(&line).map_err(|_| failed(FilesFromProblem::NotText))?;
        let text = text.strip_prefix('\u{feff}').unwrap_or(text);
        let text = text.trim_end_matches(['\n', '\r']);
        if text.is_empty() {
            continue;
        }
        let named = resolve(text, &locations).map_err(failed)?;
        let size = match named.size {
            Some(size) => size,
            None => size_of_file(sources, &named)?,
        };
        each(ListedFile {
            source: named.source,
            key: named.key,
            size,
        })?;
    }
    Ok(())
}

/// Reads a line; `false` at the end.
fn next_line(list: &mut dyn BufRead, line: &mut Vec<u8>) -> Result<bool, FilesFromProblem> {
    line.clear();
    loop {
        let buffer = match list.fill_buf() {
            Ok(buffer) => buffer,
            Err(error) if error.kind() == std::io::ErrorKind::Interrupted => continue,
            Err(error) => return Err(FilesFromProblem::Read(error)),
        };
        if buffer.is_empty() {
            return Ok(!line.is_empty());
        }
        let end = buffer.iter().position(|byte| *byte == b'\n');
        let taken = end.map_or(buffer.len(), |end| end + 1);
        line.extend_from_slice(buffer.get(..taken).unwrap_or(buffer));
        list.consume(taken);
        if line.len() > MAX_LINE {
            return Err(FilesFromProblem::TooLong(MAX_LINE));
        }
        if end.is_some() {
            return Ok(true);
        }
    }
}

/// A file that is not there is planned all the same: reading it makes the row of `rejects`.
fn size_of_file(sources: &[Box<dyn Source>], named: &Named) -> Result<u64, StorageError> {
    let Some(source) = sources.get(named.source) else {
        return Ok(0);
    };
    match source.size(&named.key) {
        Ok(size) => Ok(size.unwrap_or_default()),
        Err(error @ StorageError::InvalidKey { .. }) => Err(error),
        Err(_refused) => Ok(0),
    }
}

/// What a line names.
#[derive(Debug, PartialEq, Eq)]
struct Named {
    source: usize,
    key: String,
    size: Option<u64>,
}

fn resolve(text: &str, locations: &[&str]) -> Result<Named, FilesFromProblem> {
    if text.starts_with('"') || is_inventory(text, locations) {
        return inventory(text, locations);
    }
    let (source, key) = match within(text, locations) {
        Some(found) => found,
        None if text.contains("://") => {
            return Err(FilesFromProblem::InNoSource(encode_bytes(text.as_bytes())));
        }
        None if locations.len() == 1 => (0, text),
        None => return Err(FilesFromProblem::WhichSource(encode_bytes(text.as_bytes()))),
    };
    Ok(Named {
        source,
        key: checked(key, text)?,
        size: None,
    })
}

/// The source that a file is in by its full name, the innermost one, and the key there.
fn within<'t>(text: &'t str, locations: &[&str]) -> Option<(usize, &'t str)> {
    let found = locations
        .iter()
        .enumerate()
        .filter_map(|(index, location)| {
            let location = location.trim_end_matches('/');
            let rest = text.strip_prefix(location)?;
            match rest.strip_prefix('/') {
                Some(key) => Some((location.len(), index, key)),
                // A source may be one file.
                None if rest.is_empty() => Some((location.len(), index, text.rsplit('/').next()?)),
                None => None,
            }
        });
    let (_, index, key) = found.max_by_key(|(length, index, _)| (*length, usize::MAX - index))?;
    Some((index, key))
}

/// A key as it stands, or encoded where it is none.
fn checked(key: &str, text: &str) -> Result<String, FilesFromProblem> {
    let name_ok = |name: &str| !matches!(name, "" | "." | "..");
    if !key.split('/').all(name_ok) {
        return Err(FilesFromProblem::NoFile(encode_bytes(text.as_bytes())));
    }
    if key.split('/').all(|name| decode_name(name).is_some()) {
        return Ok(key.to_owned());
    }
    Ok(encode_bytes(key.as_bytes()))
}

/// Whether the text before the first comma is the bucket of one of the sources: an inventory that
/// lost its quotes.
fn is_inventory(text: &str, locations: &[&str]) -> bool {
    text.split_once(',').is_some_and(|(bucket, _)| {
        locations
            .iter()
            .any(|location| bucket_of(location) == Some(bucket))
    })
}

fn bucket_of(location: &str) -> Option<&str> {
    location.strip_prefix("s3://")?.split('/').next()
}

fn inventory(text: &str, locations: &[&str]) -> Result<Named, FilesFromProblem> {
    let mut columns = Columns(Some(text));
    let mut next = || columns.next().ok_or(FilesFromProblem::NotInventory);
    let (bucket, key) = (next()?, next()?);
    let key = url_decoded(&key).ok_or(FilesFromProblem::Encoding)?;
    // In another set of columns the third is a version, or something else that is no number.
    let size = next().ok().and_then(|size| size.parse().ok());
    let key = encode_bytes(&key);
    let name = format!("s3://{bucket}/{key}");
    let Some((source, key)) = within(&name, locations) else {
        return Err(FilesFromProblem::InNoSource(encode_bytes(name.as_bytes())));
    };
    Ok(Named {
        source,
        key: checked(key, &name)?,
        size,
    })
}

/// The columns of a line of CSV, quoted or not.
struct Columns<'t>(Option<&'t str>);

impl Iterator for Columns<'_> {
    type Item = String;

    fn next(&mut self) -> Option<String> {
        let rest = self.0.take()?;
        let Some(mut quoted) = rest.strip_prefix('"') else {
            let (column, rest) = match rest.split_once(',') {
                Some((column, rest)) => (column, Some(rest)),
                None => (rest, None),
            };
            self.0 = rest;
            return Some(column.to_owned());
        };
        let mut column = String::new();
        loop {
            // A quote within quotes is doubled.
            let (part, rest) = quoted.split_once('"')?;
            column.push_str(part);
            match rest.strip_prefix('"') {
                Some(more) => {
                    column.push('"');
                    quoted = more;
                }
                None if rest.is_empty() => return Some(column),
                None => {
                    self.0 = Some(rest.strip_prefix(',')?);
                    return Some(column);
                }
            }
        }
    }
}

/// `%2F` and `+`, as S3 writes them in an inventory.
fn url_decoded(text: &str) -> Option<Vec<u8>> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        bytes.push(match byte {
            b'+' => b' ',
            b'%' => {
                let high = char::from(rest.next()?).to_digit(16)?;
                let low = char::from(rest.next()?).to_digit(16)?;
                u8::try_from(high * 16 + low).ok()?
            }
            byte => byte,
        });
    }
    Some(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    const LOCATIONS: [&str; 4] = ["logs", "s3://trail", "s3://trail/deep/", "s3://other/p"];

    #[track_caller]
    fn check_in(locations: &[&str], text: &str, expect: &str) {
        let found = match resolve(text, locations) {
            Ok(Named { source, key, size }) => match size {
                Some(size) => format!("{source} {key} {size}"),
                None => format!("{source} {key}"),
            },
            Err(error) => format!("! {error}"),
        };
        assert_eq!(found, expect, "{text}");
    }

    #[test]
    fn lines() {
        let check = |text: &str, expect: &str| check_in(&LOCATIONS, text, expect);
        check("logs/a/b.json", "0 a/b.json");
        check("s3://trail/a/b.json", "1 a/b.json");
        check("s3://trail/deep/b.json", "2 b.json");
        check("s3://trail/deeper/b.json", "1 deeper/b.json");
        check("s3://other/p/a b,c.json", "3 a b,c.json");
        check(
            "s3://other/q/a",
            "! `s3://other/q/a` is in none of the given sources",
        );
        check(
            "a/b.json",
            "! `a/b.json` may be in any of the given sources: name the source before the key",
        );
        check("s3://trail/", "! `s3://trail/` names no file");
        check("s3://trail/a//b", "! `s3://trail/a//b` names no file");
        check("logs/../x", "! `logs/../x` names no file");
        check("logs/100%.json", "0 100%25.json");
        check("logs/100%25.json", "0 100%25.json");
        check("logs/\u{1b}[2J", "0 %1B[2J");
    }

    #[test]
    fn a_key_alone() {
        let check = |text: &str, expect: &str| check_in(&["s3://trail/deep"], text, expect);
        check("a/b,c.json", "0 a/b,c.json");
        check("/etc/passwd", "! `/etc/passwd` names no file");
        check("s3://trail/deep/a", "0 a");
        check_in(&["logs/one.json"], "logs/one.json", "0 one.json");
        check_in(&["logs/one.json"], "one.json", "0 one.json");
    }

    #[test]
    fn inventories() {
        let check = |text: &str, expect: &str| check_in(&LOCATIONS, text, expect);
        check(r#""trail","a/b.json","123""#, "1 a/b.json 123");
        check(r#""trail","deep/b.json""#, "2 b.json");
        check(
            r#""trail","a%2Cb+c%25%0A.json","7","x""#,
            "1 a,b c%25%0A.json 7",
        );
        check(r#""trail","%E9.json","7""#, "1 %E9.json 7");
        check(r#""trail","a","true""#, "1 a");
        check("trail,a/b.json,123", "1 a/b.json 123");
        check(
            r#""tr""ail","a""#,
            "! `s3://tr\"ail/a` is in none of the given sources",
        );
        check(
            r#""elsewhere","a""#,
            "! `s3://elsewhere/a` is in none of the given sources",
        );
        check(r#""trail","a%2""#, "! its key is not URL-encoded");
        check(r#""trail","..%2Fa""#, "! `s3://trail/../a` names no file");
        for broken in [r#""trail""#, r#""trail","a"#, r#""trail"x,"a""#, r#"""#] {
            check(
                broken,
                "! it is no line of an inventory: a bucket, a key and perhaps a size",
            );
        }
    }

    fn read(bytes: &[u8]) -> Result<Vec<ListedFile>, String> {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("a.json"), "12345").unwrap();
        let source = retrial_storage::FolderSource::open(folder.path()).unwrap();
        let mut files = Vec::new();
        read_list(&mut &*bytes, &[Box::new(source)], &mut |file| {
            files.push(file);
            Ok(())
        })
        .map_err(|error| error.to_string())?;
        Ok(files)
    }

    #[test]
    fn lists() {
        let file = |key: &str, size| ListedFile {
            source: 0,
            key: key.to_owned(),
            size,
        };
        assert_eq!(
            read("\u{feff}a.json\r\n\n\nnone.json".as_bytes()).unwrap(),
            [file("a.json", 5), file("none.json", 0)]
        );
        assert_eq!(read(b"").unwrap(), []);
        let check = |bytes: &[u8], expect: &str| {
            assert_eq!(read(bytes).unwrap_err(), expect);
        };
        check(
            b"a.json\n\n..\n",
            "line 3 of the list of files: `..` names no file",
        );
        check(b"\xff\n", "line 1 of the list of files: it is not UTF-8");
        check(
            &vec![b'x'; MAX_LINE + 1],
            "line 1 of the list of files: it is longer than 65536 bytes",
        );
    }
}
