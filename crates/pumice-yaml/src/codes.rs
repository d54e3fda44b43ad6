//! The mistakes a YAML text can have.

use pumice_types::Code;

macro_rules! codes {
    ($($name:ident => $code:literal, $text:literal;)*) => {
        $(#[doc = $text] pub const $name: Code = Code($code);)*

        /// Every code with a paragraph that explains it.
        pub const ALL: &[(Code, &str)] = &[$(($name, $text),)*];
    };
}

codes! {
    SYNTAX => "yaml-syntax",
        "The text is not YAML: a bracket or quote that is not closed, a tab used to indent, an entry that does \
         not line up with its neighbours. What can be read in spite of it is read; otherwise the text ends here.";
    TAB => "yaml-tab",
        "A tab stands between two words. LAVA's reader takes it for a space, other YAML readers refuse it.";
    ENCODING => "yaml-encoding",
        "The text is not UTF-8. Save it as UTF-8; a byte order mark is allowed.";
    LIMIT => "yaml-limit",
        "The text is larger or deeper than is read. Job text comes from strangers, so its size, its depth and what \
         its aliases expand to are bounded.";
    DOCUMENTS => "yaml-documents",
        "The text holds more than one document (`---`). Put each into a file of its own.";
    DUPLICATE_KEY => "yaml-duplicate-key",
        "A key stands twice in one mapping. YAML forbids it; PyYAML, which LAVA uses, silently takes the last one. \
         Remove the one that is not meant.";
    KEY => "yaml-key",
        "A key is a list or a mapping. Keys are single words. Often a template such as `{{ name }}` was left \
         unrendered; quote the text if the braces are meant.";
    ALIAS => "yaml-alias",
        "An alias (`*name`) has no anchor (`&name`) before it, an anchor is given twice, or an alias stands inside \
         the node it stands for.";
    MERGE => "yaml-merge",
        "The value of a merge key (`<<`) is not a mapping or a list of mappings.";
    TAG => "yaml-tag",
        "A tag (`!name`) that the safe loader of PyYAML does not know, or one that does not fit its value. Remove \
         the tag, or quote the text if the `!` belongs to it.";
    VALUE => "yaml-value",
        "A value that looks like a number, a date or a special word and cannot be one: a month 13, a lone `=`. \
         Quote it if a text is meant.";
}
