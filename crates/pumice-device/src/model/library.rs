//! All models there are, with inheritance resolved.

use std::{collections::BTreeMap, fmt};

use pumice_types::{Blame, Cause, Code, Diagnostic, Diagnostics, Name, Sources, Span, nearest};
use pumice_yaml::{Map, Node, Value};

use super::{
    Model,
    read::{self, OWN_KEYS},
    tree,
};
use crate::reader::Reader;

/// A model extends one that is not there.
const UNKNOWN_MODEL: Code = Code("unknown-model");
/// A model extends itself, over others or not.
const ENDLESS_INHERITANCE: Code = Code("endless-inheritance");
/// Two models claim one name.
const NAME_TAKEN: Code = Code("name-taken");
/// A model has no name.
const MISSING_NAME: Code = Code("missing-key");

/// The models by name.
#[derive(Clone, Debug, Default)]
pub struct ModelLibrary {
    models: BTreeMap<Name, Model>,
    aliases: BTreeMap<Name, Name>,
}

/// There is no such model.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UnknownModel {
    /// The name asked for.
    pub name: String,
    /// The one most likely meant.
    pub nearest: Option<String>,
}

/// One file, before inheritance.
struct Draft {
    name: Name,
    node: Node,
}

impl ModelLibrary {
    /// Reads the library from the texts of its files, each with what messages call it. A later model replaces
    /// an earlier one of the same name, so that an operator's directory, given last, has the last word.
    pub fn read<'a>(
        texts: impl IntoIterator<Item = (&'a str, &'a str)>,
        sources: &mut Sources,
    ) -> (Self, Diagnostics) {
        let mut diagnostics = Diagnostics::new();
        let mut drafts = BTreeMap::new();
        for (file, text) in texts {
            let source = sources.add(file, text);
            let (node, mistakes) = tree::parse(text, source);
            let is_broken = mistakes.has_errors();
            diagnostics.extend(mistakes);
            if is_broken {
                continue;
            }
            if let Some(draft) = draft(node, &mut diagnostics) {
                drafts.insert(draft.name.clone(), draft);
            }
        }
        let mut library = Self::default();
        for draft in drafts.values() {
            if let Some((ancestors, node)) = inherit(draft, &drafts, &mut diagnostics) {
                let (model, mistakes) = read::model(draft.name.clone(), ancestors, &draft.node, node);
                diagnostics.extend(mistakes);
                library.models.insert(draft.name.clone(), model);
            }
        }
        library.index_aliases(&mut diagnostics);
        (library, diagnostics.sorted())
    }

    fn index_aliases(&mut self, diagnostics: &mut Diagnostics) {
        for model in self.models.values() {
            for alias in &model.aliases {
                let other = self.aliases.insert(alias.clone(), model.name.clone());
                let other = other.or_else(|| self.models.get(alias).map(|model| model.name.clone()));
                if let Some(other) = other {
                    let span = model.node.get("aliases").map(|node| node.span);
                    let message = format!("`{alias}` is a name of `{other}` already");
                    diagnostics.push(Diagnostic::error(NAME_TAKEN, span, message));
                }
            }
        }
    }

    /// The model with this name or alias; not one that is only there to be extended.
    ///
    /// # Errors
    /// There is none.
    pub fn get(&self, name: &str) -> Result<&Model, UnknownModel> {
        let own = self.models.iter().find(|(own, _)| own.as_str() == name);
        let alias = || self.aliases.iter().find(|(alias, _)| alias.as_str() == name);
        let model = own.map(|(_, model)| model).or_else(|| self.models.get(alias()?.1));
        model.filter(|model| !model.is_abstract).ok_or_else(|| {
            let names = self.iter().flat_map(|model| std::iter::once(&model.name).chain(&model.aliases));
            let nearest = nearest(name, names.map(Name::as_str)).map(str::to_owned);
            UnknownModel { name: name.to_owned(), nearest }
        })
    }

    /// The model whose program is called `binary`, the first by name where several are.
    pub fn by_binary(&self, binary: &str) -> Option<&Model> {
        self.iter().find(|model| model.binaries.iter().any(|name| name == binary))
    }

    /// Every model that a job can name, by name.
    pub fn iter(&self) -> impl Iterator<Item = &Model> {
        self.models.values().filter(|model| !model.is_abstract)
    }
}

fn draft(node: Node, diagnostics: &mut Diagnostics) -> Option<Draft> {
    let mut reader = Reader::default();
    let name = node.get("name").and_then(|name| read::name(name, &mut reader));
    if node.get("name").is_none() {
        let start = Span { end: node.span.start, ..node.span };
        let diagnostic = Diagnostic::error(MISSING_NAME, start, "the model has no name");
        reader.diagnostics.push(diagnostic.help("begin the file with `name = \"…\"`"));
    }
    diagnostics.extend(reader.diagnostics);
    Some(Draft { name: name?, node })
}

/// The names of all it extends, nearest first, and the whole entry. `None` when that cannot be said.
fn inherit(
    draft: &Draft,
    drafts: &BTreeMap<Name, Draft>,
    diagnostics: &mut Diagnostics,
) -> Option<(Vec<Name>, Node)> {
    let mut ancestors: Vec<Name> = Vec::new();
    let mut chain = vec![draft];
    let mut current = draft;
    while let Some(extends) = current.node.get("extends") {
        let wanted = extends.as_str().unwrap_or_default();
        let Some(parent) = drafts.values().find(|parent| parent.name.as_str() == wanted) else {
            let message = format!("there is no model `{wanted}` to extend");
            let meant = nearest(wanted, drafts.keys().map(Name::as_str)).map(|name| format!("\"{name}\""));
            diagnostics.push(Diagnostic::error(UNKNOWN_MODEL, extends.span, message).suggest(meant));
            return None;
        };
        if chain.iter().any(|model| model.name == parent.name) {
            let message = format!("the model `{}` ends up extending itself", parent.name);
            diagnostics.push(Diagnostic::error(ENDLESS_INHERITANCE, extends.span, message));
            return None;
        }
        ancestors.push(parent.name.clone());
        chain.push(parent);
        current = parent;
    }
    let mut handed_down = chain.iter().skip(1).rev().map(|model| without_own_keys(&model.node));
    let inherited =
        handed_down.next().map(|first| handed_down.fold(first, |low, high| tree::over(&low, &high)));
    let node = inherited.map_or_else(|| draft.node.clone(), |low| tree::over(&low, &draft.node));
    Some((ancestors, node))
}

fn without_own_keys(node: &Node) -> Node {
    let entries = node.as_map().into_iter().flatten();
    let kept = entries.filter(|entry| !OWN_KEYS.contains(&entry.key.as_str())).cloned().collect();
    Node { span: node.span, value: Value::Map(Map(kept)) }
}

impl fmt::Display for UnknownModel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "there is no model `{}`", self.name)?;
        match &self.nearest {
            Some(nearest) => write!(f, "; did you mean `{nearest}`?"),
            None => Ok(()),
        }
    }
}

impl std::error::Error for UnknownModel {}

impl Blame for UnknownModel {
    fn root_cause(&self) -> Cause {
        Cause::DeviceInvalid
    }

    fn hint(&self) -> Option<String> {
        Some("`pumice model list` shows the models there are, `pumice model add` makes an entry".to_owned())
    }
}

#[cfg(test)]
mod tests;
