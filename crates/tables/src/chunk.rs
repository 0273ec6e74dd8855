//! A leaf as the bytes of its column chunk: a dictionary where that is smaller, pages, zstd.
//!
//! The Parquet library would hash and compare each text anew; here a text has a number from the start.
//! What the library is for stays its own: page headers, metadata, the footer.

use std::ops::Range;

use bytes::Bytes;
use parquet::basic::{Compression, Encoding, PageType, ZstdLevel};
use parquet::column::page::{CompressedPage, Page, PageWriter};
use parquet::column::writer::ColumnCloseResult;
use parquet::data_type::ByteArray;
use parquet::errors::ParquetError;
use parquet::file::metadata::{ColumnChunkMetaData, PageEncodingStats};
use parquet::file::statistics::{Statistics, ValueStatistics};
use parquet::file::writer::{SerializedPageWriter, TrackedWrite};
use parquet::schema::types::ColumnDescPtr;
use zstd::bulk::Compressor;
use zstd::zstd_safe::CParameter;

use crate::delta;
use crate::dictionary::put_in_order;
use crate::hybrid;
use crate::leaf::{Leaf, Levels, PageEnd, Values};
use crate::writer::COMPRESSION_LEVEL;

/// A text in the statistics is cut to so many bytes: they are in every footer, and anybody can make a
/// long text.
const STATISTICS_BYTES: usize = 64;

/// What a buffer keeps from one chunk to the next, at most: as much as the pages of a slice take.
const KEPT_BYTES: usize = 1 << 20;

/// From so many texts on a dictionary is in an order of its own: there is nothing to gain in a few.
const ORDERED_TEXTS: usize = 256;

/// The mean from which on texts of a dictionary are long.
const LONG_TEXT: usize = 64;

/// The shortest piece, in bytes, that zstd points back at instead of writing it again; which is best was
/// tried with each column of a million calls.
#[derive(Debug, Clone, Copy)]
enum Match {
    /// As the level has it.
    Usual = 0,
    /// Counts and times.
    Numbers = 4,
    /// Dictionaries, numbers of texts in large ones, and texts that do not repeat.
    Texts = 6,
    /// Dictionaries of long texts.
    LongTexts = 7,
}

/// A column chunk, ready to be put into a row group.
pub(crate) struct Chunk {
    pub(crate) bytes: Bytes,
    pub(crate) close: ColumnCloseResult,
}

/// Encodes and compresses chunks, in buffers that are used again.
#[derive(Default)]
pub(crate) struct ChunkEncoder {
    /// Made for the first page.
    compressor: Option<Compressor<'static>>,
    raw: Vec<u8>,
    packed: Vec<u8>,
}

/// The distinct values of a leaf, or all of them.
enum Distinct<'r> {
    Texts(Vec<&'r str>),
    Integers(Vec<i64>),
}

impl Distinct<'_> {
    fn len(&self) -> usize {
        match self {
            Self::Texts(texts) => texts.len(),
            Self::Integers(integers) => integers.len(),
        }
    }

    /// What a value takes as it is.
    fn bytes(&self, number: usize) -> usize {
        match self {
            Self::Texts(texts) => texts.get(number).map_or(0, |text| 4 + text.len()),
            Self::Integers(_) => 8,
        }
    }

    fn write(&self, number: usize, out: &mut Vec<u8>) {
        match self {
            Self::Texts(texts) => {
                let text = texts.get(number).copied().unwrap_or_default();
                // The pages' own lengths are checked: they have 32 bits, too.
                out.extend_from_slice(&(text.len() as u32).to_le_bytes());
                out.extend_from_slice(text.as_bytes());
            }
            Self::Integers(integers) => {
                let integer = integers.get(number).copied().unwrap_or_default();
                out.extend_from_slice(&integer.to_le_bytes());
            }
        }
    }
}

/// A leaf without its values.
struct Paged<'d> {
    levels: Levels,
    pages: Vec<PageEnd>,
    rows: usize,
    descriptor: &'d ColumnDescPtr,
}

impl Paged<'_> {
    /// Values, null and nothing among them.
    fn slots(&self) -> usize {
        self.pages.last().map_or(0, |page| page.slots)
    }

    fn nulls(&self, values: usize) -> u64 {
        self.slots().saturating_sub(values) as u64
    }
}

impl ChunkEncoder {
    /// Encodes a leaf, whose last page has ended.
    pub(crate) fn encode(
        &mut self,
        leaf: Leaf<'_>,
        descriptor: &ColumnDescPtr,
    ) -> Result<Chunk, ParquetError> {
        let Leaf {
            levels,
            values,
            pages,
            rows,
            ..
        } = leaf;
        let leaf = Paged {
            levels,
            pages,
            rows,
            descriptor,
        };
        let chunk = match values {
            Values::Repeated(dictionary, numbers) => {
                let distinct = Distinct::Texts(dictionary.into_texts());
                self.numbered(&leaf, distinct, numbers)
            }
            Values::Integers(_, distinct, numbers) => {
                self.numbered(&leaf, Distinct::Integers(distinct), numbers)
            }
            Values::Unique(texts) => self.unique(&leaf, &texts),
            Values::Numbers(numbers) => self.numbers(&leaf, &numbers),
            Values::Booleans(truths) => self.truths(&leaf, &truths),
        };
        for buffer in [&mut self.raw, &mut self.packed] {
            buffer.clear();
            buffer.shrink_to(KEPT_BYTES);
        }
        chunk
    }

    /// Texts and integers of which each is a number of a distinct one.
    fn numbered(
        &mut self,
        leaf: &Paged<'_>,
        mut distinct: Distinct<'_>,
        mut numbers: Vec<u32>,
    ) -> Result<Chunk, ParquetError> {
        let statistics = match &distinct {
            Distinct::Texts(texts) => text_statistics(leaf, texts, numbers.len()),
            Distinct::Integers(_) => None,
        };
        let mut writer = ChunkWriter::new(leaf);
        if !pays(&distinct, &numbers) {
            let encoding = (Encoding::PLAIN, Match::Usual);
            self.pages(&mut writer, encoding, |values, raw| {
                for number in numbers.get(values).unwrap_or_default() {
                    distinct.write(*number as usize, raw);
                }
            })?;
            return writer.close(statistics);
        }
        if let Distinct::Texts(texts) = &mut distinct
            && texts.len() >= ORDERED_TEXTS
        {
            put_in_order(texts, &mut numbers);
        }
        self.raw.clear();
        (0..distinct.len()).for_each(|number| distinct.write(number, &mut self.raw));
        let shortest = match self.raw.len() / distinct.len().max(1) {
            0..LONG_TEXT => Match::Texts,
            _ => Match::LongTexts,
        };
        let buf = self.compressed(shortest)?;
        writer.write(
            Page::DictionaryPage {
                buf,
                num_values: distinct.len() as u32,
                // As the first version of the format calls it, which the pages have.
                encoding: Encoding::PLAIN_DICTIONARY,
                is_sorted: false,
            },
            self.raw.len(),
        )?;
        let width = hybrid::width_of(distinct.len().saturating_sub(1) as u32);
        let width = hybrid::whole_bytes(width);
        let shortest = match width {
            8 => Match::Usual,
            _ => Match::Texts,
        };
        let encoding = (Encoding::RLE_DICTIONARY, shortest);
        self.pages(&mut writer, encoding, |values, raw| {
            raw.push(width);
            hybrid::encode(numbers.get(values).unwrap_or_default(), width, raw);
        })?;
        writer.close(statistics)
    }

    fn unique(&mut self, leaf: &Paged<'_>, texts: &[&str]) -> Result<Chunk, ParquetError> {
        let mut writer = ChunkWriter::new(leaf);
        let encoding = (Encoding::DELTA_LENGTH_BYTE_ARRAY, Match::Texts);
        self.pages(&mut writer, encoding, |values, raw| {
            delta::encode_texts(texts.get(values).unwrap_or_default(), raw);
        })?;
        writer.close(text_statistics(leaf, texts, texts.len()))
    }

    /// Counts and times.
    fn numbers(&mut self, leaf: &Paged<'_>, numbers: &[i64]) -> Result<Chunk, ParquetError> {
        let mut writer = ChunkWriter::new(leaf);
        let encoding = (Encoding::DELTA_BINARY_PACKED, Match::Numbers);
        self.pages(&mut writer, encoding, |values, raw| {
            delta::encode_integers(numbers.get(values).unwrap_or_default(), raw);
        })?;
        let (least, greatest) = (numbers.iter().min(), numbers.iter().max());
        let nulls = Some(leaf.nulls(numbers.len()));
        let statistics = Statistics::int64(least.copied(), greatest.copied(), None, nulls, false);
        writer.close(Some(statistics))
    }

    fn truths(&mut self, leaf: &Paged<'_>, truths: &[bool]) -> Result<Chunk, ParquetError> {
        let mut writer = ChunkWriter::new(leaf);
        let encoding = (Encoding::PLAIN, Match::Usual);
        self.pages(&mut writer, encoding, |values, raw| {
            hybrid::pack_bits(truths.get(values).unwrap_or_default(), 1, raw);
        })?;
        let (least, greatest) = (truths.iter().min(), truths.iter().max());
        let nulls = Some(leaf.nulls(truths.len()));
        let statistics = Statistics::boolean(least.copied(), greatest.copied(), None, nulls, false);
        writer.close(Some(statistics))
    }

    /// The data pages, with the values that `write` writes.
    fn pages(
        &mut self,
        writer: &mut ChunkWriter<'_>,
        (encoding, shortest): (Encoding, Match),
        write: impl Fn(Range<usize>, &mut Vec<u8>),
    ) -> Result<(), ParquetError> {
        let leaf = writer.leaf;
        writer.encoding = encoding;
        let mut begin = PageEnd::default();
        for end in &leaf.pages {
            self.raw.clear();
            for (levels, greatest) in [
                (&leaf.levels.repetition, leaf.descriptor.max_rep_level()),
                (&leaf.levels.definition, leaf.descriptor.max_def_level()),
            ] {
                let levels = levels.get(begin.slots..end.slots).unwrap_or_default();
                push_levels(levels, greatest, &mut self.raw);
            }
            write(begin.values..end.values, &mut self.raw);
            let buf = self.compressed(shortest)?;
            writer.write(
                Page::DataPage {
                    buf,
                    num_values: (end.slots - begin.slots) as u32,
                    encoding,
                    def_level_encoding: Encoding::RLE,
                    rep_level_encoding: Encoding::RLE,
                    statistics: None,
                },
                self.raw.len(),
            )?;
            begin = *end;
        }
        Ok(())
    }

    fn compressed(&mut self, shortest: Match) -> Result<Bytes, ParquetError> {
        if i32::try_from(self.raw.len()).is_err() {
            return Err(ParquetError::General("a page of more than 2 GB".to_owned()));
        }
        self.packed.clear();
        self.packed
            .reserve(zstd::zstd_safe::compress_bound(self.raw.len()));
        let compressor = match self.compressor.take() {
            Some(compressor) => compressor,
            None => Compressor::new(COMPRESSION_LEVEL)?,
        };
        let compressor = self.compressor.insert(compressor);
        compressor.set_parameter(CParameter::MinMatch(shortest as u32))?;
        compressor.compress_to_buffer(&self.raw, &mut self.packed)?;
        Ok(Bytes::copy_from_slice(&self.packed))
    }
}

/// Whether numbers and the texts they stand for take clearly less than the texts in their places: where
/// most are different, zstd finds more in the latter.
fn pays(distinct: &Distinct<'_>, numbers: &[u32]) -> bool {
    let width = u64::from(hybrid::width_of(distinct.len().saturating_sub(1) as u32));
    let bytes = |number: usize| distinct.bytes(number) as u64;
    let texts: u64 = (0..distinct.len()).map(bytes).sum();
    let plain: u64 = numbers.iter().map(|number| bytes(*number as usize)).sum();
    let with_dictionary = texts + numbers.len() as u64 * width / 8;
    with_dictionary < plain / 10 * 9
}

/// The levels of a page behind their length; nothing where they are always 0.
fn push_levels(levels: &[u8], greatest: i16, out: &mut Vec<u8>) {
    let Ok(greatest @ 1..) = u32::try_from(greatest) else {
        return;
    };
    let place = out.len();
    out.extend([0; 4]);
    hybrid::encode(levels, hybrid::width_of(greatest), out);
    let length = (out.len() - place - 4) as u32;
    for (byte, of_length) in out.iter_mut().skip(place).zip(length.to_le_bytes()) {
        *byte = of_length;
    }
}

/// The least and greatest of some texts, where a reader could use them: not within lists and maps.
fn text_statistics(leaf: &Paged<'_>, texts: &[&str], values: usize) -> Option<Statistics> {
    if leaf.descriptor.max_rep_level() > 0 {
        return None;
    }
    let (smallest, greatest) = extremes(texts).unzip();
    let least = smallest.map(floor);
    let ceiling = greatest.and_then(ceiling);
    let is_exact = |text: Option<&str>| text.is_none_or(|text| text.len() <= STATISTICS_BYTES);
    let (min_exact, max_exact) = (is_exact(smallest), is_exact(greatest));
    let (least, ceiling) = match (least, ceiling) {
        (Some(least), Some(ceiling)) => (Some(least), Some(ceiling)),
        _ => (None, None),
    };
    let statistics: ValueStatistics<ByteArray> = ValueStatistics::new(
        least.map(ByteArray::from),
        ceiling.map(ByteArray::from),
        None,
        Some(leaf.nulls(values)),
        false,
    )
    .with_min_is_exact(min_exact)
    .with_max_is_exact(max_exact);
    Some(statistics.into())
}

/// The least and greatest of some texts. Most are told apart by their beginnings, as numbers.
fn extremes<'t>(texts: &[&'t str]) -> Option<(&'t str, &'t str)> {
    let begins = |text: &str| match text.as_bytes().first_chunk() {
        Some(whole) => u64::from_be_bytes(*whole),
        None => (0..8).fold(0, |number, at| {
            number << 8 | u64::from(text.as_bytes().get(at).copied().unwrap_or_default())
        }),
    };
    let first = *texts.first()?;
    let (mut least, mut greatest) = ((begins(first), first), (begins(first), first));
    for text in texts {
        let text = (begins(text), *text);
        if text < least {
            least = text;
        } else if text > greatest {
            greatest = text;
        }
    }
    Some((least.1, greatest.1))
}

/// A text not above this one, of few bytes.
fn floor(text: &str) -> Vec<u8> {
    let end = (0..=STATISTICS_BYTES.min(text.len())).rev();
    let cut = end.filter_map(|end| text.get(..end)).next();
    cut.unwrap_or_default().as_bytes().to_vec()
}

/// A text not below this one, of few bytes: cut behind an ASCII letter, which is raised by one. There is
/// none where no such letter is.
fn ceiling(text: &str) -> Option<Vec<u8>> {
    if text.len() <= STATISTICS_BYTES {
        return Some(text.as_bytes().to_vec());
    }
    let bytes = text.as_bytes().get(..STATISTICS_BYTES)?;
    let last = bytes.iter().rposition(|byte| *byte < 0x7f)?;
    let mut ceiling = bytes.get(..=last)?.to_vec();
    if let Some(byte) = ceiling.last_mut() {
        *byte += 1;
    }
    Some(ceiling)
}

/// The pages of a chunk, as they come.
struct ChunkWriter<'l> {
    leaf: &'l Paged<'l>,
    /// Of the values.
    encoding: Encoding,
    out: TrackedWrite<Vec<u8>>,
    dictionary: bool,
    data_page_offset: Option<u64>,
    compressed: usize,
    uncompressed: usize,
    data_pages: i32,
}

impl<'l> ChunkWriter<'l> {
    fn new(leaf: &'l Paged<'l>) -> Self {
        Self {
            leaf,
            encoding: Encoding::PLAIN,
            out: TrackedWrite::new(Vec::new()),
            dictionary: false,
            data_page_offset: None,
            compressed: 0,
            uncompressed: 0,
            data_pages: 0,
        }
    }

    fn write(&mut self, page: Page, uncompressed: usize) -> Result<(), ParquetError> {
        let page = CompressedPage::new(page, uncompressed);
        let spec = SerializedPageWriter::new(&mut self.out).write_page(page)?;
        self.compressed += spec.compressed_size;
        self.uncompressed += spec.uncompressed_size;
        if spec.page_type == PageType::DICTIONARY_PAGE {
            self.dictionary = true;
        } else {
            self.data_page_offset.get_or_insert(spec.offset);
            self.data_pages += 1;
        }
        Ok(())
    }

    fn close(self, statistics: Option<Statistics>) -> Result<Chunk, ParquetError> {
        let Self { leaf, encoding, .. } = self;
        let slots = leaf.slots();
        let mut pages = Vec::new();
        if self.dictionary {
            pages.push(PageEncodingStats {
                page_type: PageType::DICTIONARY_PAGE,
                encoding: Encoding::PLAIN_DICTIONARY,
                count: 1,
            });
        }
        pages.push(PageEncodingStats {
            page_type: PageType::DATA_PAGE,
            encoding,
            count: self.data_pages,
        });
        let mut encodings: Vec<Encoding> = pages.iter().map(|page| page.encoding).collect();
        // Of the levels.
        encodings.push(Encoding::RLE);
        let level = ZstdLevel::try_new(COMPRESSION_LEVEL)?;
        let mut metadata = ColumnChunkMetaData::builder(leaf.descriptor.clone())
            .set_compression(Compression::ZSTD(level))
            .set_encodings(encodings)
            .set_page_encoding_stats(pages)
            .set_total_compressed_size(self.compressed as i64)
            .set_total_uncompressed_size(self.uncompressed as i64)
            .set_num_values(slots as i64)
            .set_data_page_offset(self.data_page_offset.unwrap_or_default() as i64)
            .set_dictionary_page_offset(self.dictionary.then_some(0));
        if let Some(statistics) = statistics {
            metadata = metadata.set_statistics(statistics);
        }
        let bytes = Bytes::from(self.out.into_inner()?);
        Ok(Chunk {
            close: ColumnCloseResult {
                bytes_written: bytes.len() as u64,
                rows_written: leaf.rows as u64,
                metadata: metadata.build()?,
                bloom_filter: None,
                column_index: None,
                offset_index: None,
            },
            bytes,
        })
    }
}
