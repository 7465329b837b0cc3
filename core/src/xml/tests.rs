//! What is read, what is refused, and with what bounds.

use super::{MAX_BYTES, Writer, XmlError, read};

const NS: &str = "urn:a";

/// The text of every `x` of [`NS`], wherever it is two levels down.
fn texts(document: impl AsRef<[u8]>) -> Result<Vec<String>, XmlError> {
    read(document.as_ref(), |root| {
        let mut texts = Vec::new();
        while let Some(child) = root.child()? {
            if child.is(NS, "x") {
                texts.push(child.text()?);
            }
        }
        Ok(texts)
    })
}

fn error(document: impl AsRef<[u8]>) -> XmlError {
    let document = document.as_ref();
    match texts(document) {
        Ok(texts) => panic!("{} was read: {texts:?}", String::from_utf8_lossy(document)),
        Err(error) => error,
    }
}

#[test]
fn names_are_compared_by_namespace() {
    for document in [
        "<r xmlns='urn:a'><x>1</x></r>",
        "<p:r xmlns:p='urn:a'><p:x>1</p:x></p:r>",
        "<r><q:x xmlns:q='urn:a'>1</q:x><x>2</x></r>",
        "<r xmlns='urn:a'><x>1</x><x xmlns=''>2</x><x xmlns='urn:b'>3</x></r>",
        "<a:r xmlns:a='urn:b'><b xmlns:a='urn:a'/><a:x>no</a:x><a:x xmlns:a='urn:&#97;'>1</a:x></a:r>",
    ] {
        assert_eq!(texts(document), Ok(vec!["1".to_owned()]), "{document}");
    }
}

#[test]
fn text_is_what_was_meant() {
    for (content, text) in [
        ("&lt;&gt;&amp;&apos;&quot;", "<>&'\""),
        ("&#65;&#x41;&#x1F600;", "AA\u{1f600}"),
        ("<![CDATA[<&]]>]]&gt;", "<&]]>"),
        ("a<!-- - b -->c<?d e?>f", "acf"),
        ("a\r\nb\rc\td", "a\nb\nc\td"),
        ("a<y>b</y>c", "ac"),
        ("ä<é/>€", "ä€"),
        ("", ""),
    ] {
        let document = format!("<r xmlns='urn:a'><x>{content}</x></r>");
        assert_eq!(texts(&document), Ok(vec![text.to_owned()]), "{content}");
    }
}

#[test]
fn attributes_are_what_was_meant() {
    let document = "<r a='&quot;1\n2\r\n3&#10;4' p:b=\"'\" xmlns:p='urn:p' b = \"\u{e9}\"  />";
    let read = read(document.as_bytes(), |root| {
        let value = |name| root.attribute(name).map(str::to_owned);
        Ok([value("a"), value("b"), value("c")])
    });
    let expected = [Some("\"1 2 3\n4".to_owned()), Some("\u{e9}".to_owned()), None];
    assert_eq!(read, Ok(expected));
}

#[test]
fn what_stands_around_the_root_is_read_over() {
    for document in [
        "\u{feff}<?xml version='1.0' encoding='utf-8'?>\r\n<!-- c --><?p i?><r/> <!-- c -->\n",
        "<?xml version=\"1.0\" encoding = \"US-ASCII\" standalone='yes'?><r/>",
        "<?xml version=\"1.0\"?><r />",
    ] {
        assert_eq!(texts(document), Ok(Vec::new()), "{document}");
    }
}

/// No entity is defined, so none is expanded: neither a billion laughs nor somebody's files.
#[test]
fn document_types_and_their_entities_are_refused() {
    for document in [
        "<!DOCTYPE r><r/>",
        "<?xml version='1.0'?><!DOCTYPE r [<!ENTITY a 'b'><!ENTITY c '&a;&a;'>]><r>&c;</r>",
        "<!DOCTYPE r [<!ENTITY a SYSTEM 'file:///etc/passwd'>]><r>&a;</r>",
        "<r><!ELEMENT x ANY></r>",
    ] {
        assert_eq!(error(document), XmlError::Doctype, "{document}");
    }
    for reference in [
        "&a;", "&", "&;", "&lt", "&#;", "&#x;", "&#0;", "&#xD800;", "&#-65;", "&#x+41;",
    ] {
        let document = format!("<r xmlns='urn:a'><x>{reference}</x></r>");
        assert_eq!(error(&document), XmlError::Reference, "{document}");
        assert_eq!(
            error(format!("<r a='{reference}'/>")),
            XmlError::Reference,
            "{reference}"
        );
    }
}

#[test]
fn only_utf_8_is_read() {
    assert_eq!(error(b"<r>\xff</r>"), XmlError::Encoding);
    assert_eq!(error(b"\xfe\xff\0<\0r\0/\0>"), XmlError::Encoding);
    for name in ["utf-16", "iso-8859-1", "utf-8x", "x", ""] {
        let document = format!("<?xml version='1.0' encoding='{name}'?><r/>");
        assert_eq!(error(document), XmlError::Encoding, "{name}");
    }
    for text in ["\0", "\u{1b}", "\u{fffe}", "\u{ffff}"] {
        assert_eq!(error(format!("<r>{text}</r>")), XmlError::Character);
    }
}

#[test]
fn what_is_not_well_formed_is_refused_wherever_it_is() {
    for document in [
        "",
        " ",
        "text",
        "<r>",
        "<r></s>",
        "<r></r",
        "</r>",
        "<r/><r/>",
        "<r/>text",
        "text<r/>",
        "<r/><![CDATA[x]]>",
        "<r>]]></r>",
        "<r><!-- a -- b --></r>",
        "<r><!-- a",
        "<r><![CDATA[a</r>",
        "<r><?xml version='1.0'?></r>",
        "<r><?a",
        "<r a/>",
        "<r a=1/>",
        "<r a='1'b='2'/>",
        "<r a='<'/>",
        "<r a='1' a='2'/>",
        "<r a='1/>",
        "<r / >",
        "< r/>",
        "<1/>",
        "<-/>",
        "<r><a:b:c xmlns:a='u'/></r>",
        "<r><y><z></y></z></r>",
        "<r xmlns='u' xmlns='v'/>",
        "<r xmlns:p='u' xmlns:q='u' p:a='1' q:a='2'/>",
    ] {
        assert_eq!(error(document), XmlError::Syntax, "{document}");
    }
    for document in [
        "<p:r/>",
        "<r p:a='1'/>",
        "<:r/>",
        "<r xmlns:p=''/>",
        "<r xmlns:='u'/>",
        "<r xmlns:xml='u'/>",
        "<r xmlns:xmlns='u'/>",
        "<r xmlns='http://www.w3.org/2000/xmlns/'/>",
        "<r><y xmlns:p='u'/><p:x/></r>",
    ] {
        assert_eq!(error(document), XmlError::Prefix, "{document}");
    }
}

#[test]
fn size_depth_and_numbers_are_bounded() {
    let large = format!("<r>{}</r>", "a".repeat(1 << 20));
    assert_eq!(error(large), XmlError::TooLarge);
    let fits = format!("<r>{}</r>", "a".repeat(MAX_BYTES - 7));
    assert_eq!(texts(fits), Ok(Vec::new()));
    let nested = |depth| format!("{}{}", "<y>".repeat(depth), "</y>".repeat(depth));
    assert_eq!(texts(nested(32)), Ok(Vec::new()));
    assert_eq!(error(nested(33)), XmlError::TooDeep);
    assert_eq!(error("<y>".repeat(MAX_BYTES / 3)), XmlError::TooDeep);
    let attributes = |count| (0..count).fold(String::new(), |all, at| format!("{all} a{at}=''"));
    assert_eq!(texts(format!("<r{}/>", attributes(32))), Ok(Vec::new()));
    assert_eq!(
        error(format!("<r{}/>", attributes(33))),
        XmlError::TooManyAttributes
    );
    let namespaces = |depth| (0..20).fold(String::new(), |all, at| format!("{all} xmlns:p{depth}n{at}='u'"));
    let levels: String = (0..4).map(|depth| format!("<y{}>", namespaces(depth))).collect();
    assert_eq!(error(levels), XmlError::TooManyNamespaces);
    let long = |bytes: usize| format!("<r xmlns:p='{}'/>", "u".repeat(bytes));
    assert_eq!(texts(long(256)), Ok(Vec::new()));
    assert_eq!(error(long(257)), XmlError::LongNamespace);
}

#[test]
fn what_is_written_reads_the_same_whatever_it_holds() {
    let text = "<a href=\"x\">&amp; ]]> '\r\n\t\u{1}\u{ffff} é";
    let document = Writer::document("r", &[("xmlns", Some(NS)), ("b", None)], |writer| {
        writer.text_element("x", &[("y", Some(text))], text);
        writer.element("empty", &[], |_| {});
    });
    let expected = text.replace(['\u{1}', '\u{ffff}'], "\u{fffd}");
    let found = read(document.as_bytes(), |root| {
        assert_eq!(root.attribute("b"), None);
        let child = root.child()?.ok_or(XmlError::Content)?;
        let attribute = child.attribute("y").unwrap_or_default().to_owned();
        Ok((attribute, child.text()?))
    });
    assert_eq!(found, Ok((expected.clone(), expected)));
}
