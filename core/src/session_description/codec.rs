/// One format of a media section: a payload type and what it stands for (RFC 8866 6.6).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Codec<'a> {
    /// RTP payload type, 0 to 127.
    pub payload_type: u8,
    /// The encoding's name as written; compare it whatever the case.
    pub name: &'a str,
    /// RTP clock rate in Hz.
    pub clock_rate: u32,
    /// Channels; 1 if not written.
    pub channels: u8,
}

impl<'a> Codec<'a> {
    /// Reads the value of an `rtpmap` attribute.
    pub(super) fn parse(rtpmap: &'a str) -> Option<Self> {
        let (payload_type, encoding) = rtpmap.split_once([' ', '\t'])?;
        let mut parts = encoding.trim().split('/');
        Some(Self {
            payload_type: payload_type.parse().ok().filter(|it| *it <= MAX_PAYLOAD_TYPE)?,
            name: parts.next().filter(|name| !name.is_empty())?,
            clock_rate: parts.next()?.parse().ok()?,
            channels: parts.next().map_or(Some(1), |channels| channels.parse().ok())?,
        })
    }

    /// What a payload type stands for without an `rtpmap` attribute (RFC 3551 6).
    pub(super) fn of_static_type(payload_type: u8) -> Option<Self> {
        let (name, clock_rate, channels) = match payload_type {
            0 => ("PCMU", 8_000, 1),
            3 => ("GSM", 8_000, 1),
            4 => ("G723", 8_000, 1),
            5 => ("DVI4", 8_000, 1),
            6 => ("DVI4", 16_000, 1),
            7 => ("LPC", 8_000, 1),
            8 => ("PCMA", 8_000, 1),
            9 => ("G722", 8_000, 1),
            10 => ("L16", 44_100, 2),
            11 => ("L16", 44_100, 1),
            12 => ("QCELP", 8_000, 1),
            13 => ("CN", 8_000, 1),
            15 => ("G728", 8_000, 1),
            18 => ("G729", 8_000, 1),
            26 => ("JPEG", 90_000, 1),
            31 => ("H261", 90_000, 1),
            34 => ("H263", 90_000, 1),
            _ => return None,
        };
        Some(Self {
            payload_type,
            name,
            clock_rate,
            channels,
        })
    }
}

/// RTP has seven bits for the payload type.
pub(super) const MAX_PAYLOAD_TYPE: u8 = 127;

/// Codecs by payload type, found in one pass.
pub(super) struct CodecTable<'a>([Option<Codec<'a>>; MAX_PAYLOAD_TYPE as usize + 1]);

impl<'a> CodecTable<'a> {
    pub(super) fn new(rtpmaps: impl Iterator<Item = &'a str>) -> Self {
        let mut table = [None; MAX_PAYLOAD_TYPE as usize + 1];
        for codec in rtpmaps.filter_map(Codec::parse) {
            table[usize::from(codec.payload_type)].get_or_insert(codec);
        }
        Self(table)
    }

    /// Takes out the codec of a format, so that a repeated format yields nothing more.
    pub(super) fn take(&mut self, format: &str) -> Option<Codec<'a>> {
        let payload_type: u8 = format.parse().ok()?;
        let entry = self.0.get_mut(usize::from(payload_type))?;
        let codec = entry.or_else(|| Codec::of_static_type(payload_type));
        // A name no codec has marks the entry as taken.
        *entry = Some(Codec {
            payload_type,
            name: "",
            clock_rate: 0,
            channels: 0,
        });
        codec.filter(|codec| !codec.name.is_empty())
    }
}
