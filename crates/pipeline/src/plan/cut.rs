//! How a plan's files are cut into batches and slices: by their sizes alone.

use super::file::PlannedFile;

/// A slice's decompressed JSON, as estimated from sizes: large enough that all cores have work and row
/// groups compress well, small enough that its rows fit in memory several times over.
pub(crate) const SLICE_BYTES: u64 = 32 << 20;

/// A batch's gzip: what a killed run loses at most.
pub(crate) const BATCH_BYTES: u64 = 1 << 30;

/// The slices of a batch.
pub(crate) fn slices(batch: &[PlannedFile]) -> impl Iterator<Item = &[PlannedFile]> {
    let mut bytes = 0;
    batch.chunk_by(move |a, _| {
        bytes = a.estimated_bytes().saturating_add(bytes);
        let together = bytes < SLICE_BYTES;
        if !together {
            bytes = 0;
        }
        together
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slice_ends_at_its_estimate() {
        let files: Vec<PlannedFile> = [
            ("b.json.gz", 1),
            ("c.json", SLICE_BYTES),
            ("d.json", 1),
            ("e.json", u64::MAX),
            ("f.json.gz", u64::MAX),
        ]
        .into_iter()
        .map(|(key, size)| PlannedFile::new(0, key.to_owned(), size))
        .collect();
        let cut: Vec<Vec<&str>> = slices(&files)
            .map(|slice| slice.iter().map(|file| file.key.as_str()).collect())
            .collect();
        assert_eq!(
            cut,
            [
                vec!["b.json.gz", "c.json"],
                vec!["d.json", "e.json"],
                vec!["f.json.gz"]
            ]
        );
    }
}
