//! Log files as CloudTrail delivers them: their keys, and gzip that is the same every time.
//!
//! See <https://docs.aws.amazon.com/awscloudtrail/latest/userguide/get-and-view-cloudtrail-log-files.html>.

use std::io::{self, Write};

use flate2::{Compression, GzBuilder, write::GzEncoder};

use crate::clock::{day_path, stamp};
use crate::rng::Rng;

/// The made-up organisation's id.
pub(crate) const ORGANIZATION: &str = "o-exampleorg1";

/// Where a log file stands in its bucket.
pub(crate) fn key(account: &str, region: &str, delivered: i64, rng: &mut Rng) -> String {
    let unique = rng.base64(16).replace(['+', '/'], "0");
    format!(
        "AWSLogs/{ORGANIZATION}/{account}/CloudTrail/{region}/{}/{account}_CloudTrail_{region}_{}_{unique}.json.gz",
        day_path(delivered),
        stamp(delivered)
    )
}

/// A gzip stream without a time or a file name in its header.
pub(crate) fn gzip<W: Write>(out: W, level: u32) -> GzEncoder<W> {
    GzBuilder::new()
        .mtime(0)
        .operating_system(255)
        .write(out, Compression::new(level))
}

/// All of `text`, compressed.
pub(crate) fn compressed(text: &[u8], level: u32) -> io::Result<Vec<u8>> {
    let mut encoder = gzip(Vec::new(), level);
    encoder.write_all(text)?;
    encoder.finish()
}
