//! Messages as platforms and browsers send them every day.

pub(crate) const ALL: [(&str, &str); 4] = [
    ("REGISTER", include_str!("../../../data/register.sip")),
    ("INVITE with SDP", include_str!("../../../data/invite.sip")),
    ("200 with SDP", include_str!("../../../data/ok.sip")),
    ("NOTIFY with XML", include_str!("../../../data/notify.sip")),
];
