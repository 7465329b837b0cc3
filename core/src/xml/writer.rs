//! Documents of our own. Whatever the texts hold, what is written is well-formed.

use super::text::escape;

/// Writes one document. Names are the code's own; texts and values may come from anywhere.
#[derive(Debug)]
pub struct Writer {
    text: String,
}

/// Attributes in their order; those without a value are left out.
type Attributes<'a> = [(&'static str, Option<&'a str>)];

impl Writer {
    /// The document whose root is `name` and has what `content` writes.
    pub fn document(
        name: &'static str,
        attributes: &Attributes<'_>,
        content: impl FnOnce(&mut Self),
    ) -> String {
        let mut writer = Self {
            text: "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n".to_owned(),
        };
        writer.element(name, attributes, content);
        writer.text
    }

    /// An element with what `content` writes.
    pub fn element(
        &mut self,
        name: &'static str,
        attributes: &Attributes<'_>,
        content: impl FnOnce(&mut Self),
    ) {
        self.text.push('<');
        self.text.push_str(name);
        for (name, value) in attributes {
            let Some(value) = value else { continue };
            self.text.push(' ');
            self.text.push_str(name);
            self.text.push_str("=\"");
            escape(value, &mut self.text);
            self.text.push('"');
        }
        self.text.push('>');
        content(self);
        self.text.push_str("</");
        self.text.push_str(name);
        self.text.push('>');
    }

    /// An element with a text.
    pub fn text_element(&mut self, name: &'static str, attributes: &Attributes<'_>, text: &str) {
        self.element(name, attributes, |writer| escape(text, &mut writer.text));
    }
}
