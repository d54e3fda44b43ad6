//! The words of LAVA's job language: which keys there are, what may stand under each, what it means, and who refuses
//! what. One table; the checker, the JSON Schema, completion and hover all read it.
//!
//! The facts are those of lava-compat 1. A key has the [`Shape`] that LAVA's *strict* schema gives it. What the *loose*
//! one, which decides on submission, lets pass beyond that stands beside it as [`Loose`].

mod blocks;
mod boot;
mod deploy;
pub(crate) mod names;
mod test;
mod top;

pub use boot::{BOOT, BOOT_METHODS};
pub use deploy::{DEPLOY, DEPLOY_METHODS};
pub use names::{ACTION_NAMES, COMMANDS, CONTEXT};
pub use test::{DEFINITION, INLINE, TEST};
pub use top::JOB;
pub(crate) use top::{ACTION, MULTINODE};

/// What may stand under a key.
#[derive(Clone, Copy, Debug)]
pub enum Shape {
    /// Anything.
    Anything,
    /// A text.
    Text,
    /// A text with at least one character and at most this many.
    TextUpTo(usize),
    /// A text of letters, digits, `-`, `_` and `.`.
    Identifier,
    /// The name of a container image.
    ContainerImage,
    /// A whole number within these bounds.
    Whole(i64, i64),
    /// A number of seconds, 0 or more.
    Seconds,
    /// `true` or `false`.
    Boolean,
    /// One of some words.
    Word(&'static [Word]),
    /// The word that decides what else may stand in the mapping around it.
    Method(Table),
    /// Nothing at all, or this.
    Nullable(&'static Shape),
    /// A timeout: one of `days`, `hours`, `minutes`, `seconds`.
    Timeout,
    /// Timeouts by name of an action.
    NamedTimeouts,
    /// A list of these.
    List(&'static Shape),
    /// One of these, or a list of them.
    OneOrMore(&'static Shape),
    /// A mapping whose keys are free, to these.
    Mapping(&'static Shape),
    /// A mapping whose keys are these words, to these. Other words are refused on submission.
    Known(&'static [Word], &'static Shape),
    /// A mapping with known keys.
    Object(&'static Object),
    /// A mapping whose known keys depend on the word under one of them.
    ByWord(&'static ByWord),
    /// A mapping whose known keys depend on which of some keys it has; the first that is there counts.
    ByKey(&'static ByKey),
    /// Any of these.
    Either(&'static [Shape]),
}

/// The tables of words that decide what else may stand beside them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Table {
    /// `to` in a deploy block.
    Deploy,
    /// `method` in a boot block.
    Boot,
    /// `from` in a test definition.
    Definition,
}

impl Table {
    /// The words.
    pub fn words(self) -> &'static ByWord {
        match self {
            Self::Deploy => &DEPLOY,
            Self::Boot => &BOOT,
            Self::Definition => &DEFINITION,
        }
    }
}

/// A word and what it means.
#[derive(Clone, Copy, Debug)]
pub struct Word {
    /// The word.
    pub word: &'static str,
    /// What it means, one sentence. Empty where the word says it.
    pub doc: &'static str,
}

/// A mapping with known keys.
#[derive(Clone, Copy, Debug)]
pub struct Object {
    /// What it is, for a message: `a boot block`.
    pub name: &'static str,
    /// The keys, in several lists so that they can be shared.
    pub fields: &'static [&'static [Field]],
    /// What becomes of other keys.
    pub unknown: Unknown,
}

impl Object {
    /// Every key, own and shared.
    pub fn fields(&self) -> impl Iterator<Item = &'static Field> + Clone + use<> {
        self.fields.iter().copied().flatten()
    }

    /// The key of this name.
    pub fn field(&self, key: &str) -> Option<&'static Field> {
        self.fields().find(|field| field.key == key)
    }
}

/// What becomes of a key that is not known.
#[derive(Clone, Copy, Debug)]
pub enum Unknown {
    /// Refused on submission.
    Refused,
    /// Refused by the strict schema only.
    Warned,
    /// Its meaning is somebody else's business.
    Free,
    /// It is a name of the writer's own, and under it stands this.
    Each(&'static Shape),
}

/// A mapping whose known keys depend on the word under one of them.
#[derive(Clone, Copy, Debug)]
pub struct ByWord {
    /// The key of the word.
    pub key: &'static str,
    /// What the word is, for a message: `boot method`.
    pub what: &'static str,
    /// The words.
    pub methods: &'static [Method],
    /// What the mapping is while the word is not known.
    pub otherwise: &'static Object,
}

/// A word that decides which keys are known.
#[derive(Clone, Copy, Debug)]
pub struct Method {
    /// The word.
    pub word: &'static str,
    /// Where it makes sense.
    pub runs_on: RunsOn,
    /// The keys that are known then.
    pub object: Object,
    /// What it does, one or two sentences.
    pub doc: &'static str,
}

/// Where a method makes sense.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RunsOn {
    /// On a virtual platform.
    Virtual,
    /// On a physical board only.
    Board,
}

/// A mapping whose known keys depend on which keys it has.
#[derive(Clone, Copy, Debug)]
pub struct ByKey {
    /// The deciding keys, in the order in which they count.
    pub variants: &'static [(&'static str, Object)],
    /// What a mapping is that has none of them; refused on submission when there is no such thing.
    pub otherwise: Option<&'static Object>,
}

/// A key and what stands under it.
#[derive(Clone, Copy, Debug)]
pub struct Field {
    /// The key.
    pub key: &'static str,
    /// What may stand under it.
    pub shape: Shape,
    /// Who refuses a mapping without it.
    pub needed: Needed,
    /// What is let pass on submission beyond the shape.
    pub loose: Loose,
    /// Where the key comes from.
    pub origin: Origin,
    /// What it means, one or two sentences.
    pub doc: &'static str,
}

/// Who refuses a mapping that lacks a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Needed {
    /// Nobody.
    No,
    /// The strict schema.
    Strict,
    /// Submission.
    Submission,
}

/// What is let pass on submission beyond a shape.
#[derive(Clone, Copy, Debug)]
pub enum Loose {
    /// Nothing.
    Nothing,
    /// Everything.
    Everything,
    /// What has this shape.
    Like(Shape),
}

/// Where a key comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Origin {
    /// LAVA.
    Lava,
    /// LAVA's dispatcher reads it, LAVA's strict schema does not know it.
    NotInStrict,
    /// It is ours. LAVA ignores it or refuses the job.
    Extension,
}

/// A timeout as a mapping with known keys, for completion and hover.
pub(crate) const TIMEOUT: Object = Object {
    name: "a timeout",
    unknown: Unknown::Refused,
    fields: &[&[
        field("days", COUNT, "How many days."),
        field("hours", COUNT, "How many hours."),
        field("minutes", COUNT, "How many minutes."),
        field("seconds", COUNT, "How many seconds."),
        field("skip", Shape::Boolean, "When a test block runs out of time, it fails and the job goes on."),
        field(
            "soft",
            Shape::Boolean,
            "Running out of time is recorded, the block is given up, the job goes on.",
        )
        .extension(),
    ]],
};

/// Whether a key makes sense in an image that has `overlays`.
pub(crate) fn with_overlays(key: &str) -> bool {
    blocks::OVERLAID.iter().any(|field| field.key == key)
}

/// A key with nothing special about it.
const fn field(key: &'static str, shape: Shape, doc: &'static str) -> Field {
    Field { key, shape, needed: Needed::No, loose: Loose::Nothing, origin: Origin::Lava, doc }
}

impl Field {
    /// Submission refuses a mapping without it.
    const fn needed(mut self) -> Self {
        self.needed = Needed::Submission;
        self
    }

    /// The strict schema refuses a mapping without it.
    const fn needed_by_strict(mut self) -> Self {
        self.needed = Needed::Strict;
        self
    }

    /// Submission does not look at the value.
    const fn unchecked(mut self) -> Self {
        self.loose = Loose::Everything;
        self
    }

    /// Submission lets this shape pass.
    const fn loosely(mut self, shape: Shape) -> Self {
        self.loose = Loose::Like(shape);
        self
    }

    const fn not_in_strict(mut self) -> Self {
        self.origin = Origin::NotInStrict;
        self
    }

    const fn extension(mut self) -> Self {
        self.origin = Origin::Extension;
        self.loose = Loose::Everything;
        self
    }
}

const fn word(word: &'static str, doc: &'static str) -> Word {
    Word { word, doc }
}

/// A whole number, 1 or more.
const COUNT: Shape = Shape::Whole(1, i64::MAX);
/// A whole number of any size, as submission takes it.
const ANY_WHOLE: Shape = Shape::Whole(i64::MIN, i64::MAX);
/// A text with something in it.
const FILLED: Shape = Shape::TextUpTo(usize::MAX);

#[cfg(test)]
mod tests {
    use super::*;

    /// Every object that can be reached, once for each way.
    fn objects(shape: Shape, depth: usize, found: &mut Vec<Object>) {
        if depth == 0 {
            return;
        }
        match shape {
            Shape::Nullable(inner) | Shape::List(inner) | Shape::OneOrMore(inner) | Shape::Mapping(inner) => {
                objects(*inner, depth, found);
            }
            Shape::Either(shapes) => shapes.iter().for_each(|shape| objects(*shape, depth, found)),
            Shape::Object(object) => walk(*object, depth, found),
            Shape::ByWord(by) => by.methods.iter().for_each(|method| walk(method.object, depth, found)),
            Shape::ByKey(by) => by.variants.iter().for_each(|(_, object)| walk(*object, depth, found)),
            _ => {}
        }
    }

    fn walk(object: Object, depth: usize, found: &mut Vec<Object>) {
        found.push(object);
        object.fields().for_each(|field| objects(field.shape, depth - 1, found));
    }

    #[test]
    fn no_object_has_a_key_twice_and_every_key_is_explained() {
        let mut found = Vec::new();
        walk(JOB, 9, &mut found);
        assert!(found.len() > 50);
        for object in found {
            let mut keys: Vec<_> = object.fields().map(|field| field.key).collect();
            assert!(object.fields().all(|field| field.doc.len() > 8), "{}", object.name);
            let count = keys.len();
            keys.sort_unstable();
            keys.dedup();
            assert_eq!(keys.len(), count, "{}", object.name);
        }
    }
}
