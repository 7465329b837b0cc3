//! Values of headers on their own, and the digests made of them.
//!
//! Each line of the data is one value, and is read as everything it might be.

use clearline_core::sip::digest::{Algorithm, ClientChallengeState, Ha1, verify};
use clearline_core::sip::{
    AuthenticationKind, CSeq, Challenge, Contact, Credentials, HeaderName, MediaType, Message, Method,
    NameAddr, RequestBuilder, ResponseBuilder, Uri, UriBuf, Via, quote,
};
use clearline_core::{CallId, CallOptions, Config, ConnectionId, Input, Instant, Secret, UserAgent};

use crate::message;

pub(crate) fn run(data: &[u8]) {
    let text = String::from_utf8_lossy(data);
    let lines: Vec<&str> = text.lines().take(16).collect();
    lines.iter().for_each(|line| read(line));
    for (one, other) in lines.iter().zip(lines.iter().skip(1)) {
        compare(one, other);
    }
    authenticate(&lines);
    if let Some(line) = lines.first() {
        dial(line);
    }
}

fn read(line: &str) {
    let _ = (Via::parse(line).map(|via| via.rport()), CSeq::parse(line));
    let _ = MediaType::parse(line).map(|it| (it.is("application/sdp"), it.params.text("boundary").is_some()));
    let _ = Contact::parse(line).map(|it| it.address().map(|it| message::address(&it)));
    let _ = Uri::parse(line).map(|it| message::uri(&it));
    if let Ok(address) = NameAddr::parse(line) {
        let name = address
            .display_name
            .map(|name| name.decode().into_owned())
            .unwrap_or_default();
        let written = format!("{} <{}>", quote(&name), address.uri);
        let again = NameAddr::parse(&written).expect("what was quoted can be read");
        assert_eq!(again.uri, address.uri);
    }
    if let Ok(uri) = UriBuf::sip(line, "example.com")
        && !line.is_empty()
    {
        assert_eq!(
            uri.as_uri().user_decoded(),
            *line,
            "escaping is undone by decoding"
        );
    }
}

fn compare(one: &str, other: &str) {
    let (Ok(one), Ok(other)) = (Uri::parse(one), Uri::parse(other)) else {
        return;
    };
    assert_eq!(
        one.equivalent(&other),
        other.equivalent(&one),
        "equivalence is symmetric"
    );
}

/// Takes each line for a challenge, answers all of them, and checks the answers as a server would.
fn authenticate(lines: &[&str]) {
    let request = register();
    let mut state = ClientChallengeState::default();
    let challenges = lines.iter().enumerate().fold(
        ResponseBuilder::for_request(&request, 401),
        |build, (at, line)| {
            let kind = if at % 2 == 0 {
                AuthenticationKind::Www
            } else {
                AuthenticationKind::Proxy
            };
            let _ = Challenge::parse(kind, line).map(|it| it.param("nonce").is_some());
            let _ = Credentials::parse(kind, line).map(|it| check(&it));
            build.header(kind.challenge_header(), line)
        },
    );
    let is_answerable = state.take_challenges(&challenges.build());
    let secret = Secret::new("secret");
    for _ in 0..2 {
        let answers = state.authorize(&request, "alice", &secret, "0a4f113b");
        assert!(is_answerable || answers.is_empty());
        let signed = answers
            .iter()
            .fold(request.edit(), |edit, (name, value)| edit.append(*name, value))
            .build();
        assert_eq!(
            signed.credentials().flatten().count(),
            answers.len(),
            "each answer can be read"
        );
        signed
            .credentials()
            .flatten()
            .for_each(|it| is_right(&signed, &it, &secret));
    }
    let _ = format!("{state:?}");
}

fn is_right(signed: &Message, credentials: &Credentials<'_>, secret: &Secret) {
    let named = credentials.param("algorithm");
    let algorithm = named
        .as_deref()
        .map_or(Some(Algorithm::Md5), Algorithm::from_name);
    let algorithm = algorithm.expect("only known algorithms are answered");
    let realm = credentials.param("realm").expect("answers name their realm");
    let ha1 = Ha1::new(algorithm, "alice", &realm, secret);
    assert_eq!(
        verify(credentials, signed.method(), &ha1, signed.body()),
        Ok(()),
        "own answers are right"
    );
}

fn check(credentials: &Credentials<'_>) {
    for algorithm in Algorithm::ALL {
        let ha1 = Ha1::new(algorithm, "alice", "example.com", &Secret::new("secret"));
        let _ = verify(credentials, Method::Register, &ha1, b"");
    }
}

/// What a user types must never become anything but one well-formed Request-URI and To.
fn dial(text: &str) {
    let address = UriBuf::parse("sip:alice@example.com").expect("a constant");
    let mut config = Config::new(
        address,
        "wss://example.com/sip",
        "urn:uuid:00000000-0000-1000-8000-000000000001",
    );
    config.register = false;
    let mut agent = UserAgent::new(config, [1; 32]);
    let now = Instant::from_secs(1);
    agent.start(now);
    agent.handle_input(
        now,
        Input::Connected {
            connection: ConnectionId(1),
        },
    );
    if agent.call(now, CallId(1), text, CallOptions::default()).is_ok() {
        let call = agent.calls().next().expect("an accepted call exists");
        let uri = Uri::parse(&call.remote.uri).expect("a target is a URI");
        assert!(!uri.as_str().contains(['\r', '\n', ' ', '<', '>']));
    }
}

fn register() -> Message {
    let uri = UriBuf::parse("sip:example.com").expect("a constant");
    RequestBuilder::new(Method::Register, uri.as_uri())
        .header(HeaderName::Via, "SIP/2.0/WS a.invalid;branch=z9hG4bK1")
        .header(HeaderName::From, "<sip:alice@example.com>;tag=1")
        .header(HeaderName::To, "<sip:alice@example.com>")
        .header(HeaderName::CallId, "c1")
        .header(HeaderName::CSeq, "1 REGISTER")
        .build()
}
