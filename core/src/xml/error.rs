//! What can be wrong with a document.

use std::fmt;

/// Why a document is not read. The sender is at fault, always.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum XmlError {
    /// Longer than [`MAX_BYTES`](super::MAX_BYTES).
    TooLarge,
    /// Elements within elements beyond the bound.
    TooDeep,
    /// Too many attributes on one element.
    TooManyAttributes,
    /// Too many namespaces in scope.
    TooManyNamespaces,
    /// A namespace with a longer name than any has.
    LongNamespace,
    /// Not UTF-8, or declared as something else.
    Encoding,
    /// A character that XML does not allow.
    Character,
    /// It has a document type.
    Doctype,
    /// A reference to an entity other than the five of XML, or to a character that there is not.
    Reference,
    /// A prefix that is not bound to a namespace, or cannot be bound.
    Prefix,
    /// Not well-formed otherwise.
    Syntax,
    /// Well-formed, but not what its media type says.
    Content,
}

impl fmt::Display for XmlError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::TooLarge => "the document is too large",
            Self::TooDeep => "the document is too deep",
            Self::TooManyAttributes => "an element has too many attributes",
            Self::TooManyNamespaces => "the document has too many namespaces",
            Self::LongNamespace => "a namespace of the document has too long a name",
            Self::Encoding => "the document is not UTF-8",
            Self::Character => "the document has a forbidden character",
            Self::Doctype => "the document has a document type",
            Self::Reference => "the document refers to an unknown entity",
            Self::Prefix => "the document has an unbound prefix",
            Self::Syntax => "the document is not well-formed",
            Self::Content => "the document is not of its type",
        })
    }
}

impl std::error::Error for XmlError {}
