//! Which namespaces the prefixes stand for (Namespaces in XML 1.0).

use std::borrow::Cow;

use super::XmlError;
use super::text::is_local_name;

/// Declarations in force at the same time.
const MAX_NAMESPACES: usize = 64;
/// Bytes of a namespace name; those of event packages have fifty.
const MAX_NAMESPACE: usize = 256;
/// What `xml` stands for, always (section 3).
const XML: &str = "http://www.w3.org/XML/1998/namespace";
/// What `xmlns` stands for, always.
const XMLNS: &str = "http://www.w3.org/2000/xmlns/";

/// The declarations in force.
#[derive(Debug, Default)]
pub(super) struct Scope<'d> {
    declarations: Vec<Declaration<'d>>,
}

#[derive(Debug)]
struct Declaration<'d> {
    /// Empty for the default namespace.
    prefix: &'d str,
    namespace: Cow<'d, str>,
    depth: usize,
}

/// An expanded name. The local part first: it is short, and where it differs no namespace is compared.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Name<'d> {
    pub(super) local: &'d str,
    /// Empty for none.
    pub(super) namespace: Cow<'d, str>,
}

impl<'d> Scope<'d> {
    /// The prefix an attribute declares, if it is a declaration.
    pub(super) fn declared_prefix(attribute: &str) -> Option<&str> {
        match attribute.strip_prefix("xmlns")? {
            "" => Some(""),
            // No prefix at all: one that cannot be declared.
            ":" => Some(":"),
            rest => rest.strip_prefix(':'),
        }
    }

    /// `prefix` stands for `namespace` in the element of `depth`.
    pub(super) fn declare(
        &mut self,
        prefix: &'d str,
        namespace: Cow<'d, str>,
        depth: usize,
    ) -> Result<(), XmlError> {
        if namespace.len() > MAX_NAMESPACE {
            return Err(XmlError::LongNamespace);
        }
        let is_reserved = matches!(prefix, "xml" | "xmlns") || [XML, XMLNS].contains(&namespace.as_ref());
        let is_own = prefix == "xml" && namespace == XML;
        // Section 5: only the default namespace can be taken back.
        let is_impossible = !prefix.is_empty() && (namespace.is_empty() || !is_local_name(prefix));
        if is_reserved && !is_own || is_impossible {
            return Err(XmlError::Prefix);
        }
        if self.is_declared_at(prefix, depth) {
            return Err(XmlError::Syntax);
        }
        if self.declarations.len() >= MAX_NAMESPACES {
            return Err(XmlError::TooManyNamespaces);
        }
        self.declarations.push(Declaration {
            prefix,
            namespace,
            depth,
        });
        Ok(())
    }

    fn is_declared_at(&self, prefix: &str, depth: usize) -> bool {
        let own = self.declarations.iter().rev();
        own.take_while(|it| it.depth == depth)
            .any(|it| it.prefix == prefix)
    }

    /// The element of `depth` has ended.
    pub(super) fn leave(&mut self, depth: usize) {
        while self.declarations.pop_if(|it| it.depth >= depth).is_some() {}
    }

    pub(super) fn element(&self, name: &'d str) -> Result<Name<'d>, XmlError> {
        match name.split_once(':') {
            Some((prefix, local)) => self.prefixed(prefix, local),
            None if is_local_name(name) => Ok(Name {
                namespace: self.find("").unwrap_or_default(),
                local: name,
            }),
            None => Err(XmlError::Syntax),
        }
    }

    /// Attributes without a prefix are in no namespace (section 6.2).
    pub(super) fn attribute(&self, name: &'d str) -> Result<Name<'d>, XmlError> {
        match name.split_once(':') {
            Some((prefix, local)) => self.prefixed(prefix, local),
            None if is_local_name(name) => Ok(Name {
                namespace: Cow::Borrowed(""),
                local: name,
            }),
            None => Err(XmlError::Syntax),
        }
    }

    fn prefixed(&self, prefix: &str, local: &'d str) -> Result<Name<'d>, XmlError> {
        if !is_local_name(local) {
            return Err(XmlError::Syntax);
        }
        let namespace = match prefix {
            "xml" => Some(Cow::Borrowed(XML)),
            "" => None,
            prefix => self.find(prefix),
        };
        let namespace = namespace.ok_or(XmlError::Prefix)?;
        Ok(Name { namespace, local })
    }

    fn find(&self, prefix: &str) -> Option<Cow<'d, str>> {
        let innermost = self.declarations.iter().rev().find(|it| it.prefix == prefix);
        innermost.map(|it| it.namespace.clone())
    }
}
