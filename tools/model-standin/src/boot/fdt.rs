//! Flattened device trees: read into a tree, changed, written back (Devicetree Specification 0.4, chapter 5).

/// Marks a device tree blob.
const MAGIC: u32 = 0xd00d_feed;
const BEGIN_NODE: u32 = 1;
const END_NODE: u32 = 2;
const PROPERTY: u32 = 3;
const NOP: u32 = 4;
const END: u32 = 9;
const HEADER_BYTES: usize = 40;
/// Deeper than any real tree.
const DEPTH_LIMIT: usize = 64;

/// A node with its properties and children, in order.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Node {
    pub(crate) name: String,
    pub(crate) properties: Vec<(String, Vec<u8>)>,
    pub(crate) children: Vec<Node>,
}

/// A value of a property being built.
pub(crate) enum Cell<'a> {
    /// 32-bit numbers.
    Numbers(&'a [u32]),
    /// Strings, each ended by NUL.
    Strings(&'a [&'a str]),
    /// No value: the property is there.
    Empty,
}

impl Node {
    /// A node with no properties.
    pub(crate) fn new(name: &str) -> Self {
        Self { name: name.to_owned(), ..Self::default() }
    }

    /// Adds a property.
    pub(crate) fn with(mut self, name: &str, value: &Cell<'_>) -> Self {
        let bytes = match value {
            Cell::Numbers(numbers) => numbers.iter().flat_map(|number| number.to_be_bytes()).collect(),
            Cell::Strings(strings) => {
                strings.iter().flat_map(|text| text.bytes().chain(std::iter::once(0))).collect()
            }
            Cell::Empty => Vec::new(),
        };
        self.set(name, bytes);
        self
    }

    /// Adds a child.
    pub(crate) fn child(mut self, node: Self) -> Self {
        self.children.push(node);
        self
    }

    /// Sets a property.
    pub(crate) fn set(&mut self, name: &str, value: Vec<u8>) {
        match self.properties.iter_mut().find(|(property, _)| property == name) {
            Some((_, old)) => *old = value,
            None => self.properties.push((name.to_owned(), value)),
        }
    }

    /// The strings of a property; none when it is not there.
    pub(crate) fn strings(&self, name: &str) -> Vec<String> {
        let value = self.properties.iter().find(|(property, _)| property == name).map(|(_, value)| value);
        let pieces = value.map(|value| value.split(|&byte| byte == 0)).into_iter().flatten();
        pieces
            .filter(|piece| !piece.is_empty())
            .map(|piece| String::from_utf8_lossy(piece).into_owned())
            .collect()
    }

    /// A child by its whole name.
    pub(crate) fn find(&self, name: &str) -> Option<&Self> {
        self.children.iter().find(|child| child.name == name)
    }

    /// Whether this node or one below it is compatible with `device`.
    pub(crate) fn has_compatible(&self, device: &str) -> bool {
        self.strings("compatible").iter().any(|word| word == device)
            || self.children.iter().any(|child| child.has_compatible(device))
    }

    /// Reads a blob; `None` when it is not one, or is damaged.
    pub(crate) fn parse(blob: &[u8]) -> Option<Self> {
        let word = |at: usize| Some(u32::from_be_bytes(blob.get(at..at + 4)?.try_into().ok()?));
        let offset = |at: usize| usize::try_from(word(at)?).ok();
        if word(0)? != MAGIC {
            return None;
        }
        let mut reader = Reader { blob, at: offset(8)?, strings: offset(12)? };
        if reader.token()? != BEGIN_NODE {
            return None;
        }
        reader.node(0)
    }

    /// Writes a blob, version 17.
    pub(crate) fn to_blob(&self) -> Vec<u8> {
        let (mut structure, mut strings) = (Vec::new(), Vec::new());
        self.write(&mut structure, &mut strings);
        put(&mut structure, END);
        let reservations = HEADER_BYTES;
        let structure_at = reservations + 16;
        let strings_at = structure_at + structure.len();
        let total = strings_at + strings.len();
        let mut blob = Vec::with_capacity(total);
        for number in [
            MAGIC as usize,
            total,
            structure_at,
            strings_at,
            reservations,
            17,
            16,
            0,
            strings.len(),
            structure.len(),
        ] {
            put(&mut blob, u32::try_from(number).unwrap_or(u32::MAX));
        }
        blob.extend([0; 16]);
        blob.extend(structure);
        blob.extend(strings);
        blob
    }

    fn write(&self, structure: &mut Vec<u8>, strings: &mut Vec<u8>) {
        put(structure, BEGIN_NODE);
        structure.extend(self.name.bytes().chain(std::iter::once(0)));
        pad(structure);
        for (name, value) in &self.properties {
            put(structure, PROPERTY);
            put(structure, u32::try_from(value.len()).unwrap_or(u32::MAX));
            put(structure, u32::try_from(strings.len()).unwrap_or(u32::MAX));
            strings.extend(name.bytes().chain(std::iter::once(0)));
            structure.extend(value);
            pad(structure);
        }
        for child in &self.children {
            child.write(structure, strings);
        }
        put(structure, END_NODE);
    }
}

fn put(into: &mut Vec<u8>, number: u32) {
    into.extend(number.to_be_bytes());
}

fn pad(into: &mut Vec<u8>) {
    into.resize(into.len().next_multiple_of(4), 0);
}

struct Reader<'a> {
    blob: &'a [u8],
    at: usize,
    strings: usize,
}

impl Reader<'_> {
    fn token(&mut self) -> Option<u32> {
        let bytes = self.blob.get(self.at..self.at + 4)?;
        self.at += 4;
        Some(u32::from_be_bytes(bytes.try_into().ok()?))
    }

    fn text(&self, at: usize) -> Option<String> {
        let rest = self.blob.get(at..)?;
        let end = rest.iter().position(|&byte| byte == 0)?;
        Some(String::from_utf8_lossy(&rest[..end]).into_owned())
    }

    /// The rest of a node whose begin token has been read.
    fn node(&mut self, depth: usize) -> Option<Node> {
        if depth > DEPTH_LIMIT {
            return None;
        }
        let mut node = Node { name: self.text(self.at)?, ..Node::default() };
        self.at = (self.at + node.name.len() + 1).next_multiple_of(4);
        loop {
            match self.token()? {
                NOP => {}
                PROPERTY => {
                    let length = usize::try_from(self.token()?).ok()?;
                    let offset = usize::try_from(self.token()?).ok()?;
                    let name = self.text(self.strings.checked_add(offset)?)?;
                    let value = self.blob.get(self.at..self.at.checked_add(length)?)?.to_vec();
                    self.at = (self.at + length).next_multiple_of(4);
                    node.properties.push((name, value));
                }
                BEGIN_NODE => node.children.push(self.node(depth + 1)?),
                END_NODE => return Some(node),
                _ => return None,
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tree_survives_writing_and_reading() {
        let tree = Node::new("")
            .with("model", &Cell::Strings(&["RTSM_VE_CortexA15x4-A7x4"]))
            .with("#size-cells", &Cell::Numbers(&[2]))
            .child(
                Node::new("bus@0")
                    .with("dma-coherent", &Cell::Empty)
                    .child(Node::new("nic").with("compatible", &Cell::Strings(&["smsc,lan91c111", "x"]))),
            );
        let read = Node::parse(&tree.to_blob()).unwrap();
        assert_eq!(read, tree);
        assert_eq!(read.strings("model"), ["RTSM_VE_CortexA15x4-A7x4"]);
        assert!(read.has_compatible("smsc,lan91c111") && !read.has_compatible("smsc,lan9118"));
    }

    #[test]
    fn damage_is_refused_and_never_a_panic() {
        let blob = Node::new("").with("a", &Cell::Numbers(&[1])).child(Node::new("b")).to_blob();
        for length in 0..blob.len() - 3 {
            assert_eq!(Node::parse(&blob[..length]).filter(|_| length < 60), None);
        }
        assert_eq!(Node::parse(b"not a tree at all"), None);
    }
}
