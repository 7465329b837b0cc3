//! Elements, one after the other.

use std::borrow::Cow;

use super::XmlError;
use super::scope::{Name, Scope};
use super::text;
use crate::cut;

/// The longest document that is read.
pub const MAX_BYTES: usize = 64 * 1024;
/// Elements within each other; event packages need seven.
const MAX_DEPTH: usize = 32;
/// Attributes of one element, namespaces among them.
const MAX_ATTRIBUTES: usize = 32;

/// Reads a document: `content` is given its root and takes what it wants. What it leaves is read over: its
/// tags must match, but names, attributes and references in it are not looked at.
///
/// # Errors
/// What is wrong with the document, first found first, or what `content` says.
pub fn read<T>(
    document: &[u8],
    content: impl FnOnce(&mut Element<'_, '_>) -> Result<T, XmlError>,
) -> Result<T, XmlError> {
    let mut reader = Reader::new(document)?;
    let start = reader.root()?;
    let mut root = Element::new(&mut reader, start)?;
    let value = content(&mut root)?;
    while root.child()?.is_some() {}
    reader.end()?;
    Ok(value)
}

/// An element whose content is being read. Children that are not asked for anything are skipped.
#[derive(Debug)]
pub struct Element<'r, 'd> {
    reader: &'r mut Reader<'d>,
    depth: usize,
    name: Name<'d>,
    attributes: Vec<(Name<'d>, Cow<'d, str>)>,
}

impl<'r, 'd> Element<'r, 'd> {
    fn new(reader: &'r mut Reader<'d>, start: Start<'d>) -> Result<Self, XmlError> {
        let name = reader.scope.element(start.name)?;
        let mut attributes: Vec<(Name<'d>, Cow<'d, str>)> = Vec::with_capacity(start.attributes.len());
        for (name, value) in start.attributes {
            let name = reader.scope.attribute(name)?;
            if attributes.iter().any(|(known, _)| *known == name) {
                return Err(XmlError::Syntax);
            }
            attributes.push((name, text::attribute(value)?));
        }
        Ok(Self {
            depth: reader.open.len(),
            reader,
            name,
            attributes,
        })
    }

    /// Whether it is the element of this name in this namespace.
    pub fn is(&self, namespace: &str, name: &str) -> bool {
        self.name.namespace == namespace && self.name.local == name
    }

    /// Its name, if it is in this namespace.
    pub fn name_in(&self, namespace: &str) -> Option<&'d str> {
        (self.name.namespace == namespace).then_some(self.name.local)
    }

    /// The value of an attribute that is in no namespace.
    pub fn attribute(&self, name: &str) -> Option<&str> {
        let mut attributes = self.attributes.iter();
        let found = attributes.find(|(it, _)| it.namespace.is_empty() && it.local == name)?;
        Some(&found.1)
    }

    /// The next child.
    ///
    /// # Errors
    /// What is wrong with the document up to there.
    pub fn child(&mut self) -> Result<Option<Element<'_, 'd>>, XmlError> {
        while self.is_open() {
            if let Token::Start(start) = self.reader.token()?
                && self.reader.open.len() == self.depth + 1
            {
                return Element::new(self.reader, start).map(Some);
            }
        }
        Ok(None)
    }

    /// All its text, without that of its children.
    ///
    /// # Errors
    /// What is wrong with the document up to its end.
    pub fn text(self) -> Result<String, XmlError> {
        let mut all = String::new();
        while self.is_open() {
            let token = self.reader.token()?;
            if self.reader.open.len() != self.depth {
                continue;
            }
            match token {
                Token::Text(raw) => all.push_str(&text::content(raw)?),
                Token::Literal(literal) => all.push_str(literal),
                Token::Start(_) | Token::End => {}
            }
        }
        Ok(all)
    }

    fn is_open(&self) -> bool {
        self.reader.open.len() >= self.depth
    }
}

/// What a document consists of, comments and processing instructions aside.
#[derive(Debug)]
enum Token<'d> {
    Start(Start<'d>),
    End,
    /// As written.
    Text(&'d str),
    /// A CDATA section.
    Literal(&'d str),
}

/// A start tag; its namespaces are in scope already.
#[derive(Debug)]
struct Start<'d> {
    name: &'d str,
    attributes: Vec<(&'d str, &'d str)>,
}

#[derive(Debug)]
struct Reader<'d> {
    /// What has not been read.
    rest: &'d str,
    /// The elements that are open, as their tags name them.
    open: Vec<&'d str>,
    /// The last tag was that of an empty element, whose end is due.
    is_empty_element: bool,
    scope: Scope<'d>,
}

impl<'d> Reader<'d> {
    fn new(document: &'d [u8]) -> Result<Self, XmlError> {
        if document.len() > MAX_BYTES {
            return Err(XmlError::TooLarge);
        }
        let text = std::str::from_utf8(document).map_err(|_| XmlError::Encoding)?;
        let text = text.strip_prefix('\u{feff}').unwrap_or(text);
        if !text.chars().all(text::is_char) {
            return Err(XmlError::Character);
        }
        let mut reader = Self {
            rest: text,
            open: Vec::new(),
            is_empty_element: false,
            scope: Scope::default(),
        };
        reader.declaration()?;
        Ok(reader)
    }

    /// Section 2.8: version and encoding, in front of everything else.
    fn declaration(&mut self) -> Result<(), XmlError> {
        let rest = self.rest.strip_prefix("<?xml");
        let Some(rest) = rest.filter(|rest| rest.bytes().next().is_some_and(text::is_space)) else {
            return Ok(());
        };
        let (declaration, rest) = cut::around(rest, "?>").ok_or(XmlError::Syntax)?;
        self.rest = rest;
        let Some((_, encoding)) = cut::around(declaration, "encoding") else {
            return Ok(());
        };
        let encoding = encoding.trim_start().strip_prefix('=').ok_or(XmlError::Syntax)?;
        let encoding = encoding.trim_start();
        let is_named = |name: &str| {
            let value = encoding.get(1..name.len() + 1);
            value.is_some_and(|value| value.eq_ignore_ascii_case(name))
                && matches!(encoding.as_bytes().get(name.len() + 1), Some(b'"' | b'\''))
        };
        if is_named("utf-8") || is_named("us-ascii") {
            Ok(())
        } else {
            Err(XmlError::Encoding)
        }
    }

    fn root(&mut self) -> Result<Start<'d>, XmlError> {
        loop {
            match self.token()? {
                Token::Start(start) => return Ok(start),
                Token::Text(text) if text.bytes().all(text::is_space) => {}
                Token::Text(_) | Token::Literal(_) | Token::End => return Err(XmlError::Syntax),
            }
        }
    }

    /// Behind the root there is nothing but comments and white space.
    fn end(&mut self) -> Result<(), XmlError> {
        loop {
            self.rest = self.rest.trim_start_matches([' ', '\t', '\r', '\n']);
            if self.rest.is_empty() {
                return Ok(());
            }
            if !self.skip_aside()? {
                return Err(XmlError::Syntax);
            }
        }
    }

    fn token(&mut self) -> Result<Token<'d>, XmlError> {
        if std::mem::take(&mut self.is_empty_element) {
            return Ok(self.leave());
        }
        while self.skip_aside()? {}
        if let Some(rest) = self.rest.strip_prefix("<![CDATA[") {
            let (literal, rest) = cut::around(rest, "]]>").ok_or(XmlError::Syntax)?;
            self.rest = rest;
            return Ok(Token::Literal(literal));
        }
        if self.rest.starts_with("<!") {
            return Err(XmlError::Doctype);
        }
        if let Some(rest) = self.rest.strip_prefix("</") {
            self.rest = rest;
            return self.end_tag();
        }
        if let Some(rest) = self.rest.strip_prefix('<') {
            self.rest = rest;
            return self.start_tag().map(Token::Start);
        }
        let end = self.rest.find('<').ok_or(XmlError::Syntax)?;
        let (text, rest) = cut::at(self.rest, end);
        self.rest = rest;
        // Section 2.4.
        if cut::around(text, "]]>").is_some() {
            return Err(XmlError::Syntax);
        }
        Ok(Token::Text(text))
    }

    /// A comment (section 2.5) or a processing instruction (section 2.6); `false` if there is none.
    fn skip_aside(&mut self) -> Result<bool, XmlError> {
        if let Some(rest) = self.rest.strip_prefix("<!--") {
            let (_, rest) = cut::around(rest, "--").ok_or(XmlError::Syntax)?;
            self.rest = rest.strip_prefix('>').ok_or(XmlError::Syntax)?;
            return Ok(true);
        }
        let Some(rest) = self.rest.strip_prefix("<?") else {
            return Ok(false);
        };
        let (instruction, rest) = cut::around(rest, "?>").ok_or(XmlError::Syntax)?;
        let target = instruction.split(|c: char| c.is_ascii_whitespace()).next();
        if target.is_none_or(|target| !text::is_local_name(target) || target.eq_ignore_ascii_case("xml")) {
            return Err(XmlError::Syntax);
        }
        self.rest = rest;
        Ok(true)
    }

    fn end_tag(&mut self) -> Result<Token<'d>, XmlError> {
        let name = self.name()?;
        self.space();
        self.expect('>')?;
        if self.open.last() != Some(&name) {
            return Err(XmlError::Syntax);
        }
        Ok(self.leave())
    }

    fn start_tag(&mut self) -> Result<Start<'d>, XmlError> {
        let name = self.name()?;
        if self.open.len() >= MAX_DEPTH {
            return Err(XmlError::TooDeep);
        }
        self.open.push(name);
        let mut attributes = Vec::new();
        let mut count = 0;
        while self.space() && !self.rest.starts_with(['/', '>']) {
            let (name, value) = self.attribute()?;
            count += 1;
            if count > MAX_ATTRIBUTES {
                return Err(XmlError::TooManyAttributes);
            }
            match Scope::declared_prefix(name) {
                Some(prefix) => {
                    let namespace = text::attribute(value)?;
                    self.scope.declare(prefix, namespace, self.open.len())?;
                }
                None => attributes.push((name, value)),
            }
        }
        self.is_empty_element = self.rest.starts_with('/');
        if self.is_empty_element {
            self.expect('/')?;
        }
        self.expect('>')?;
        Ok(Start { name, attributes })
    }

    fn attribute(&mut self) -> Result<(&'d str, &'d str), XmlError> {
        let name = self.name()?;
        self.space();
        self.expect('=')?;
        self.space();
        let quote = self.rest.chars().next().filter(|c| matches!(c, '"' | '\''));
        let quote = quote.ok_or(XmlError::Syntax)?;
        self.expect(quote)?;
        let (value, rest) = self.rest.split_once(quote).ok_or(XmlError::Syntax)?;
        self.rest = rest;
        if value.contains('<') {
            return Err(XmlError::Syntax);
        }
        Ok((name, value))
    }

    fn leave(&mut self) -> Token<'d> {
        self.scope.leave(self.open.len());
        self.open.pop();
        Token::End
    }

    fn name(&mut self) -> Result<&'d str, XmlError> {
        let end = self.rest.bytes().position(|byte| !text::is_name_byte(byte));
        // What is not ASCII counts as part of the name, so no character is cut.
        let (name, rest) = cut::at(self.rest, end.unwrap_or(self.rest.len()));
        self.rest = rest;
        if name.is_empty() {
            Err(XmlError::Syntax)
        } else {
            Ok(name)
        }
    }

    /// Reads over white space; whether there was any.
    fn space(&mut self) -> bool {
        let before = self.rest.len();
        self.rest = self.rest.trim_start_matches([' ', '\t', '\r', '\n']);
        self.rest.len() < before
    }

    fn expect(&mut self, c: char) -> Result<(), XmlError> {
        self.rest = self.rest.strip_prefix(c).ok_or(XmlError::Syntax)?;
        Ok(())
    }
}
