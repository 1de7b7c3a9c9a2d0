//! The `.compiled` files that ASP.NET leaves in *Temporary ASP.NET Files*: which page was compiled into which assembly.
//!
//! They are small XML files with a root element `preserve`, and stay behind when the page is deleted, so they name
//! pages that are gone. The format is described by the class `PreservationFileReader` of ASP.NET's reference source.

use quick_xml::Reader;
use quick_xml::events::{BytesStart, Event};

/// Larger than any of these files; what is longer is none.
const BYTES_MAX: usize = 256 * 1024;

/// Source files of one page that are kept.
const SOURCES_MAX: usize = 256;

/// What a `.compiled` file says about the page it was made from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CompiledPage {
    /// The page's path below the site, such as `/owa/auth/name.aspx`.
    pub virtual_path: String,
    /// The assembly with the compiled code, such as `App_Web_llfrjg0v`; empty if nothing was compiled.
    pub assembly: String,
    /// The class in it, such as `ASP.owa_auth_name_aspx`.
    pub type_name: String,
    /// The files below the site that the page was made from.
    pub sources: Vec<String>,
}

/// Reads a `.compiled` file; nothing if it is none, or is damaged before it names a page.
pub fn compiled_page(bytes: &[u8]) -> Option<CompiledPage> {
    if bytes.len() > BYTES_MAX {
        return None;
    }
    let text = String::from_utf8_lossy(bytes);
    let mut reader = Reader::from_str(text.trim_start_matches('\u{feff}'));
    let mut page: Option<CompiledPage> = None;
    loop {
        match reader.read_event() {
            Ok(Event::Start(element) | Event::Empty(element)) => {
                match element.local_name().as_ref() {
                    "preserve" if page.is_none() => page = preserve(&element),
                    "filedep" => {
                        let source = value_of(&element, "name");
                        if let (Some(page), Some(source)) = (&mut page, source)
                            && page.sources.len() < SOURCES_MAX
                        {
                            page.sources.push(source);
                        }
                    }
                    _ => {}
                }
            }
            Ok(Event::Eof) | Err(_) => return page,
            Ok(_) => {}
        }
    }
}

fn preserve(element: &BytesStart<'_>) -> Option<CompiledPage> {
    Some(CompiledPage {
        virtual_path: value_of(element, "virtualPath").filter(|path| !path.is_empty())?,
        assembly: value_of(element, "assembly").unwrap_or_default(),
        type_name: value_of(element, "type").unwrap_or_default(),
        sources: Vec::new(),
    })
}

/// The value of an attribute, its name compared without case.
pub(super) fn value_of(element: &BytesStart<'_>, name: &str) -> Option<String> {
    let attribute = element
        .attributes()
        .with_checks(false)
        .flatten()
        .find(|attribute| attribute.key.as_ref().eq_ignore_ascii_case(name))?;
    let value = attribute
        .normalized_value(quick_xml::XmlVersion::Implicit1_0)
        .ok()?;
    Some(value.into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_compiled_page_names_its_source() {
        let page = compiled_page(
            br#"<?xml version="1.0" encoding="utf-8"?>
<preserve resultType="3" virtualPath="/owa/auth/a&amp;b.aspx" hash="5f" filehash="ffff" flags="110000" assembly="App_Web_llfrjg0v" type="ASP.owa_auth_ab_aspx">
    <filedeps><filedep name="/owa/auth/a&amp;b.aspx" /><filedep name="/owa/web.config"/></filedeps>
</preserve>"#,
        )
        .unwrap();
        assert_eq!(page.virtual_path, "/owa/auth/a&b.aspx");
        assert_eq!(page.assembly, "App_Web_llfrjg0v");
        assert_eq!(page.type_name, "ASP.owa_auth_ab_aspx");
        assert_eq!(page.sources, ["/owa/auth/a&b.aspx", "/owa/web.config"]);
    }

    #[test]
    fn a_cut_off_file_still_names_its_page() {
        let page = compiled_page(b"\xef\xbb\xbf<preserve virtualPath=\"/x.aspx\" assembly=\"App_Web_1\"><filedeps><filedep na").unwrap();
        assert_eq!(
            (page.virtual_path.as_str(), page.sources.len()),
            ("/x.aspx", 0)
        );
    }

    #[test]
    fn other_files_are_none() {
        for other in [
            &b""[..],
            b"<preserve/>",
            b"<a virtualPath='/x.aspx'/>",
            b"\xff\xfe\0\0garbage",
            b"<preserve virtualPath=''/>",
        ] {
            assert_eq!(compiled_page(other), None);
        }
    }
}
