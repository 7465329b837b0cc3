//! Reading and writing the XML of event packages (XML 1.0, Namespaces in XML 1.0).
//!
//! What comes in is from the network, so the reader takes little: UTF-8 only, no document type and so no entities but the
//! five of XML itself, and bounds on size, depth, attributes and namespaces. It reads front to back, once, and holds
//! nothing but the names of the elements it is in. Names are compared by namespace, never by prefix.
//!
//! ```
//! use clearline_core::xml::{self, XmlError};
//!
//! let note = br#"<n:note xmlns:n="urn:notes"><n:to>A &amp; B</n:to><other/></n:note>"#;
//! let to = xml::read(note, |root| {
//!     let mut to = String::new();
//!     while let Some(child) = root.child()? {
//!         if child.is("urn:notes", "to") {
//!             to = child.text()?;
//!         }
//!     }
//!     Ok::<_, XmlError>(to)
//! });
//! assert_eq!(to.as_deref(), Ok("A & B"));
//! ```

mod error;
mod reader;
mod scope;
mod text;
mod writer;

pub use error::XmlError;
pub use reader::{Element, MAX_BYTES, read};
pub use writer::Writer;

#[cfg(test)]
mod tests;
