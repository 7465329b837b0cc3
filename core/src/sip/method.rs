use std::fmt;
use std::hash::{Hash, Hasher};

macro_rules! methods {
    ($($variant:ident $text:literal $source:literal;)*) => {
        /// A request method. Methods are case-sensitive (RFC 3261 7.1).
        #[derive(Clone, Copy)]
        pub enum Method<'a> {
            $(#[doc = concat!("`", $text, "` (RFC ", $source, ").")] $variant,)*
            /// Any other token, kept as it came.
            Other(&'a str),
        }

        impl<'a> Method<'a> {
            /// The method as it stands in a request line.
            pub fn as_str(&self) -> &'a str {
                match *self {
                    $(Self::$variant => $text,)*
                    Self::Other(text) => text,
                }
            }
        }

        impl<'a> From<&'a str> for Method<'a> {
            fn from(text: &'a str) -> Self {
                match text {
                    $($text => Self::$variant,)*
                    _ => Self::Other(text),
                }
            }
        }
    };
}

methods! {
    Invite "INVITE" "3261";
    Ack "ACK" "3261";
    Bye "BYE" "3261";
    Cancel "CANCEL" "3261";
    Register "REGISTER" "3261";
    Options "OPTIONS" "3261";
    Info "INFO" "6086";
    Prack "PRACK" "3262";
    Update "UPDATE" "3311";
    Subscribe "SUBSCRIBE" "6665";
    Notify "NOTIFY" "6665";
    Refer "REFER" "3515";
    Message "MESSAGE" "3428";
    Publish "PUBLISH" "3903";
}

impl PartialEq for Method<'_> {
    fn eq(&self, other: &Self) -> bool {
        self.as_str() == other.as_str()
    }
}

impl Eq for Method<'_> {}

impl Hash for Method<'_> {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.as_str().hash(state);
    }
}

impl PartialOrd for Method<'_> {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Method<'_> {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        self.as_str().cmp(other.as_str())
    }
}

impl fmt::Display for Method<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl fmt::Debug for Method<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    #[cfg(target_family = "wasm")]
    use wasm_bindgen_test::wasm_bindgen_test as test;

    use super::*;

    #[test]
    fn methods_are_case_sensitive_and_unknown_ones_are_kept() {
        assert_eq!(Method::from("INVITE"), Method::Invite);
        assert_eq!(Method::from("invite"), Method::Other("invite"));
        assert_ne!(Method::from("invite"), Method::Invite);
        assert_eq!(Method::Other("BYE"), Method::Bye);
        assert_eq!(Method::from("RE%47IST%45R").as_str(), "RE%47IST%45R");
    }
}
