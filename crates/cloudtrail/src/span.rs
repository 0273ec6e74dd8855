//! The text of one record, whole in a chunk or put together from several.

/// A buffer that grew beyond this for one huge record is given back.
const KEPT_BYTES: usize = 1024 * 1024;

/// A stretch of the file whose text is wanted.
#[derive(Debug)]
pub(crate) struct Span {
    /// Where it begins, in the decompressed file.
    begin: u64,
    /// Where it begins, or goes on, in the chunk at hand; `None` while no text is wanted.
    from: Option<usize>,
    /// What earlier chunks had of it.
    carried: Vec<u8>,
    /// It is larger than the limit: its text is gone, its end still searched.
    is_too_large: bool,
    limit: u64,
}

impl Span {
    pub(crate) fn new(limit: u64) -> Self {
        Self {
            begin: 0,
            from: None,
            carried: Vec::new(),
            is_too_large: false,
            limit,
        }
    }

    /// A span for a new file, with this one's buffer.
    pub(crate) fn reset(mut self, limit: u64) -> Self {
        self.close();
        Self {
            carried: self.carried,
            ..Self::new(limit)
        }
    }

    /// Where the span, or the last one, begins in the file.
    pub(crate) fn begin(&self) -> u64 {
        self.begin
    }

    /// A span begins at `at` of a chunk that begins at `base` of the file.
    pub(crate) fn open(&mut self, base: u64, at: usize) {
        self.close();
        self.begin = base + at as u64;
        self.from = Some(at);
        self.is_too_large = false;
    }

    /// The text is no longer wanted.
    pub(crate) fn close(&mut self) {
        self.from = None;
        self.carried.clear();
        self.carried.shrink_to(KEPT_BYTES);
    }

    /// The span goes on behind this chunk.
    pub(crate) fn carry(&mut self, chunk: &[u8]) {
        let Some(from) = self.from else { return };
        self.from = Some(0);
        let more = chunk.get(from..).unwrap_or_default();
        self.is_too_large |= self.exceeds(more.len());
        if self.is_too_large {
            self.carried = Vec::new();
        } else {
            self.carried.extend_from_slice(more);
        }
    }

    /// The text of the span, which ends at `end` of this chunk; `None` where it is too large.
    pub(crate) fn text<'t>(&'t mut self, chunk: &'t mut [u8], end: usize) -> Option<&'t mut [u8]> {
        let from = self.from?;
        let here = chunk.get_mut(from..end)?;
        if self.is_too_large || self.exceeds(here.len()) {
            return None;
        }
        if self.carried.is_empty() {
            return Some(here);
        }
        self.carried.extend_from_slice(here);
        // Asked again, it must not grow again.
        self.from = Some(end);
        Some(&mut self.carried)
    }

    fn exceeds(&self, more: usize) -> bool {
        self.carried.len() as u64 + more as u64 > self.limit
    }
}
