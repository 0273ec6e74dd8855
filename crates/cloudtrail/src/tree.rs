//! The JSON of one record as a list of nodes: each object and array before what is in it.
//!
//! A string that was written without escapes is a place in the record's text, as a number is; the others
//! stand unescaped, one behind the other, in a text of their own. So nothing is allocated per value.

/// One value, or one key of an object, which stands before its value.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Node {
    /// `null`
    Null,
    /// `true` or `false`
    Bool(bool),
    /// A number, as written in the record's text.
    Number(Place),
    /// A string that is in the record's text as it is.
    Written(Place),
    /// A string that had escapes; its place in the text of those.
    Unescaped(Place),
    /// An array, and the number of the first node behind it.
    Array { behind: u32 },
    /// An object, and the number of the first node behind it.
    Object { behind: u32 },
}

/// From this byte to before that one.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Place {
    pub(crate) begin: u32,
    pub(crate) end: u32,
}

impl Place {
    fn length(self) -> usize {
        self.end.wrapping_sub(self.begin) as usize
    }

    fn of(self, text: &str) -> &str {
        text.get(self.begin as usize..self.end as usize)
            .unwrap_or_default()
    }
}

/// The nodes of one record, and the texts that they are places in.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Tree<'a> {
    pub(crate) text: &'a str,
    pub(crate) unescaped: &'a str,
    pub(crate) nodes: &'a [Node],
}

impl<'a> Tree<'a> {
    #[inline]
    pub(crate) fn node(&self, at: u32) -> &'a Node {
        self.nodes.get(at as usize).unwrap_or(&Node::Null)
    }

    /// The text of a string.
    pub(crate) fn string(&self, node: &Node) -> Option<&'a str> {
        match node {
            Node::Written(place) => Some(place.of(self.text)),
            Node::Unescaped(place) => Some(place.of(self.unescaped)),
            _ => None,
        }
    }

    /// The text of a string, as bytes: cheaper where it is only compared.
    #[inline]
    pub(crate) fn bytes(&self, node: &Node) -> Option<&'a [u8]> {
        let (text, place) = match node {
            Node::Written(place) => (self.text, place),
            Node::Unescaped(place) => (self.unescaped, place),
            _ => return None,
        };
        let place = place.begin as usize..place.end as usize;
        text.as_bytes().get(place)
    }

    /// Whether the node at `at` is this string. Most are of another length.
    #[inline]
    pub(crate) fn is(&self, at: u32, string: &str) -> bool {
        let node = self.node(at);
        match node {
            Node::Written(place) | Node::Unescaped(place) => {
                place.length() == string.len() && self.bytes(node) == Some(string.as_bytes())
            }
            _ => false,
        }
    }

    /// A number, as written.
    pub(crate) fn number(&self, node: &Node) -> Option<&'a str> {
        match node {
            Node::Number(place) => Some(place.of(self.text)),
            _ => None,
        }
    }

    /// The number of the first node behind the value at `at`.
    #[inline]
    pub(crate) fn behind(&self, at: u32) -> u32 {
        match self.node(at) {
            Node::Array { behind } | Node::Object { behind } => *behind,
            _ => at + 1,
        }
    }
}
