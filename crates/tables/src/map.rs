//! Maps from text to lists of texts.

use std::fmt::{self, Debug, Formatter};
use std::iter::Zip;
use std::slice::Iter;

use bumpalo::Bump;

/// A map from text to a list of texts, in the order it is to be written. Two are equal that have the same
/// entries, in the same order, and look the same.
///
/// ```
/// use retrial_tables::TextListMap;
/// let in_pairs = TextListMap::Pairs(&[("aws:SourceIp", &["203.0.113.7"])]);
/// let keys = ["aws:SourceIp"];
/// let apart = TextListMap::apart(&keys, &[&["203.0.113.7"]]);
/// assert_eq!(in_pairs, apart);
/// assert_eq!(apart.iter().next(), Some(("aws:SourceIp", &["203.0.113.7"] as &[_])));
/// ```
#[derive(Clone, Copy)]
pub enum TextListMap<'a> {
    /// Each key with its list.
    Pairs(&'a [(&'a str, &'a [&'a str])]),
    /// The keys, which many rows have in the very same place, and as many lists.
    Apart(Apart<'a>),
}

/// Keys, and a list for each.
#[derive(Debug, Clone, Copy)]
pub struct Apart<'a> {
    keys: &'a [&'a str],
    lists: &'a [&'a [&'a str]],
}

impl<'a> Apart<'a> {
    /// The keys.
    pub(crate) fn keys(self) -> &'a [&'a str] {
        self.keys
    }

    /// A list for each.
    pub(crate) fn lists(self) -> &'a [&'a [&'a str]] {
        self.lists
    }
}

impl<'a> TextListMap<'a> {
    /// A map of keys and their lists. Whichever are more, those that are too many are not in it.
    pub fn apart(keys: &'a [&'a str], lists: &'a [&'a [&'a str]]) -> Self {
        let entries = keys.len().min(lists.len());
        Self::Apart(Apart {
            keys: keys.get(..entries).unwrap_or_default(),
            lists: lists.get(..entries).unwrap_or_default(),
        })
    }

    /// How many entries there are.
    pub fn len(self) -> usize {
        match self {
            Self::Pairs(pairs) => pairs.len(),
            Self::Apart(apart) => apart.keys.len(),
        }
    }

    /// Whether there are none.
    pub fn is_empty(self) -> bool {
        self.len() == 0
    }

    /// The entries.
    pub fn iter(self) -> Entries<'a> {
        match self {
            Self::Pairs(pairs) => Entries::Pairs(pairs.iter()),
            Self::Apart(Apart { keys, lists }) => Entries::Apart(keys.iter().zip(lists)),
        }
    }

    /// Each key with its list: those that lie so already, as those of a row that was read do, or a copy.
    pub fn in_pairs(self, arena: &'a Bump) -> &'a [(&'a str, &'a [&'a str])] {
        match self {
            Self::Pairs(pairs) => pairs,
            Self::Apart(_) => arena.alloc_slice_fill_iter(self),
        }
    }
}

impl Default for TextListMap<'_> {
    fn default() -> Self {
        Self::Pairs(&[])
    }
}

impl Debug for TextListMap<'_> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(*self).finish()
    }
}

impl PartialEq for TextListMap<'_> {
    fn eq(&self, other: &Self) -> bool {
        self.iter().eq(other.iter())
    }
}

impl Eq for TextListMap<'_> {}

impl<'a> IntoIterator for TextListMap<'a> {
    type Item = (&'a str, &'a [&'a str]);
    type IntoIter = Entries<'a>;

    fn into_iter(self) -> Entries<'a> {
        self.iter()
    }
}

/// The entries of a [`TextListMap`].
#[derive(Debug, Clone)]
pub enum Entries<'a> {
    /// Of pairs.
    Pairs(Iter<'a, (&'a str, &'a [&'a str])>),
    /// Of keys and lists.
    Apart(Zip<Iter<'a, &'a str>, Iter<'a, &'a [&'a str]>>),
}

impl<'a> Iterator for Entries<'a> {
    type Item = (&'a str, &'a [&'a str]);

    fn next(&mut self) -> Option<Self::Item> {
        match self {
            Self::Pairs(pairs) => pairs.next().copied(),
            Self::Apart(entries) => entries.next().map(|(key, list)| (*key, *list)),
        }
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        match self {
            Self::Pairs(pairs) => pairs.size_hint(),
            Self::Apart(entries) => entries.size_hint(),
        }
    }
}

impl ExactSizeIterator for Entries<'_> {}
