//! A header block of a tar stream, with its fields by position (POSIX ustar, and GNU's additions).

use std::ops::Range;

/// Bytes of a block.
pub(super) const BLOCK: u64 = 512;

/// A header block as it was read.
pub(super) struct Header(pub(super) [u8; BLOCK as usize]);

/// A field of a header.
#[derive(Clone, Copy)]
pub(super) enum Field {
    Mode,
    Uid,
    Gid,
    Size,
    Mtime,
    Major,
    Minor,
    /// Size of a sparse file as a reader sees it, in GNU's old format.
    RealSize,
}

impl Field {
    /// How messages call it, and where it is.
    const fn place(self) -> (&'static str, Range<usize>) {
        match self {
            Self::Mode => ("mode", 100..108),
            Self::Uid => ("uid", 108..116),
            Self::Gid => ("gid", 116..124),
            Self::Size => ("size", 124..136),
            Self::Mtime => ("mtime", 136..148),
            Self::Major => ("major number", 329..337),
            Self::Minor => ("minor number", 337..345),
            Self::RealSize => ("real size", 483..495),
        }
    }
}

impl Header {
    pub(super) fn bytes(&self, range: Range<usize>) -> &[u8] {
        self.0.get(range).unwrap_or_default()
    }

    fn text(&self, range: Range<usize>) -> &[u8] {
        let field = self.bytes(range);
        field.split(|byte| *byte == 0).next().unwrap_or_default()
    }

    /// A field that is no number, or is below zero, is an error.
    pub(super) fn number(&self, field: Field) -> Result<u64, String> {
        let (name, range) = field.place();
        number(self.bytes(range)).ok_or_else(|| format!("{name} is not a number"))
    }

    /// The time of modification in seconds, which may be before 1970.
    pub(super) fn mtime(&self) -> Result<i64, String> {
        let (name, range) = Field::Mtime.place();
        signed(self.bytes(range)).ok_or_else(|| format!("{name} is not a time"))
    }

    pub(super) fn kind(&self) -> u8 {
        self.0.get(156).copied().unwrap_or_default()
    }

    pub(super) fn is_gnu(&self) -> bool {
        self.bytes(257..265) == b"ustar  \0"
    }

    fn is_posix(&self) -> bool {
        self.bytes(257..263) == b"ustar\0"
    }

    pub(super) fn checksum_fits(&self) -> bool {
        let (mut unsigned, mut signed) = (0_i64, 0_i64);
        for (at, byte) in self.0.iter().enumerate() {
            let byte = if (148..156).contains(&at) {
                b' '
            } else {
                *byte
            };
            unsigned += i64::from(byte);
            // Old tars summed up signed characters.
            signed += i64::from(byte.cast_signed());
        }
        number(self.bytes(148..156))
            .and_then(|sum| i64::try_from(sum).ok())
            .is_some_and(|sum| sum == unsigned || sum == signed)
    }

    pub(super) fn name(&self) -> Vec<u8> {
        let (prefix, name) = (self.text(345..500), self.text(0..100));
        if self.is_posix() && !prefix.is_empty() {
            [prefix, b"/", name].concat()
        } else {
            name.to_vec()
        }
    }

    pub(super) fn link(&self) -> &[u8] {
        self.text(157..257)
    }
}

/// A number of a tar header: octal digits, or GNU's base 256. None is below zero.
pub(super) fn number(field: &[u8]) -> Option<u64> {
    if field.first()? & 0x80 != 0 {
        return base256(field).and_then(|number| u64::try_from(number).ok());
    }
    octal(field)
}

fn signed(field: &[u8]) -> Option<i64> {
    if field.first()? & 0x80 != 0 {
        return base256(field).and_then(|number| i64::try_from(number).ok());
    }
    octal(field).and_then(|number| i64::try_from(number).ok())
}

fn octal(field: &[u8]) -> Option<u64> {
    let digits = field.trim_ascii_start();
    let end = digits
        .iter()
        .position(|byte| matches!(byte, 0 | b' '))
        .unwrap_or(digits.len());
    digits.get(..end)?.iter().try_fold(0_u64, |sum, byte| {
        let digit = byte.checked_sub(b'0').filter(|digit| *digit < 8)?;
        sum.checked_mul(8)?.checked_add(u64::from(digit))
    })
}

/// Two's complement, of which the very first bit only says that it is this form.
fn base256(field: &[u8]) -> Option<i128> {
    let first = *field.first()?;
    let top = if first & 0x40 != 0 {
        i128::from(first.cast_signed())
    } else {
        i128::from(first & 0x3f)
    };
    // No field is longer than the twelve bytes that fit.
    field.iter().skip(1).try_fold(top, |sum, byte| {
        sum.checked_mul(256)?.checked_add(i128::from(*byte))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_of_headers() {
        assert_eq!(number(b"0000644\0"), Some(0o644));
        assert_eq!(number(b"   17 \0\0"), Some(0o17));
        assert_eq!(number(b"\0\0\0\0"), Some(0));
        assert_eq!(number(&[0x80, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 2]), Some(258));
        assert_eq!(number(&[0xff; 12]), None, "negative");
        assert_eq!(number(b"-0000644"), None);
        assert_eq!(number(b"9"), None);
        assert_eq!(
            number(&[0x80, 1, 1, 1, 0, 0, 0, 0, 0, 0, 1, 2]),
            None,
            "over 2^64"
        );
        assert_eq!(number(&[0x80, 0, 0, 0, 0, 1, 0, 0]), Some(65536));
        assert_eq!(number(b""), None);
    }

    #[test]
    fn times_may_be_before_1970() {
        assert_eq!(signed(&[0xff; 12]), Some(-1));
        let mut field = [0xff; 12];
        field[10] = 0xfe;
        field[11] = 0x00;
        assert_eq!(signed(&field), Some(-512));
        assert_eq!(signed(b"00000001750\0"), Some(1000));
        assert_eq!(signed(&[0xc0; 12]), None, "long before the universe");
        assert_eq!(signed(&[0xbf; 12]), None);
    }

    /// A header of these bytes at their places, with a checksum that fits.
    fn header(parts: &[(usize, &[u8])]) -> Header {
        let mut block = [0; BLOCK as usize];
        block[148..156].fill(b' ');
        for (at, bytes) in parts {
            block[*at..*at + bytes.len()].copy_from_slice(bytes);
        }
        let sum: u64 = block.iter().map(|byte| u64::from(*byte)).sum();
        block[148..156].copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
        Header(block)
    }

    #[test]
    fn each_field_is_read_at_its_place() {
        let fields = header(&[
            (100, b"0000644\0"),
            (108, b"0000001\0"),
            (116, b"0000002\0"),
            (124, b"00000000003\0"),
            (136, b"00000000004\0"),
            (156, b"5"),
            (157, b"link\0"),
            (329, b"0000005\0"),
            (337, b"0000006\0"),
            (483, b"00000000007\0"),
        ]);
        let number = |field| fields.number(field).unwrap();
        assert_eq!(number(Field::Mode), 0o644);
        assert_eq!((number(Field::Uid), number(Field::Gid)), (1, 2));
        assert_eq!((number(Field::Size), number(Field::Mtime)), (3, 4));
        assert_eq!((number(Field::Major), number(Field::Minor)), (5, 6));
        assert_eq!((number(Field::RealSize), fields.mtime().unwrap()), (7, 4));
        assert_eq!((fields.kind(), fields.link()), (b'5', &b"link"[..]));
        let bad = header(&[(124, b"x"), (136, b"y")]);
        assert_eq!(bad.number(Field::Size).unwrap_err(), "size is not a number");
        assert_eq!(bad.mtime().unwrap_err(), "mtime is not a time");
    }

    #[test]
    fn a_prefix_belongs_to_the_name_where_the_format_has_one() {
        let name = |magic: &[u8], prefix: &[u8]| {
            let name = &[b'n'; 100][..];
            header(&[(0, name), (257, magic), (345, prefix)]).name()
        };
        let alone = vec![b'n'; 100];
        assert_eq!(name(b"ustar\0", b"a/b"), [b"a/b/", &alone[..]].concat());
        assert_eq!(name(b"ustar\0", b""), alone);
        // GNU has other things there.
        assert_eq!(name(b"ustar  \0", b"a/b"), alone);
        assert_eq!(name(b"", b"a/b"), alone);
        let kinds = [&b"ustar  \0"[..], b"ustar\0\0\0", b""];
        let gnu = kinds.map(|magic| header(&[(257, magic)]).is_gnu());
        assert_eq!(gnu, [true, false, false]);
        let posix = kinds.map(|magic| header(&[(257, magic)]).is_posix());
        assert_eq!(posix, [false, true, false]);
    }

    #[test]
    fn a_checksum_fits_where_characters_are_signed_or_not() {
        let mut good = header(&[(0, &[0xff; 10]), (500, b"x")]);
        assert!(good.checksum_fits());
        let unsigned = number(good.bytes(148..156)).unwrap();
        for (sum, fits) in [
            (unsigned - 2560, true),
            (unsigned - 2559, false),
            (unsigned - 1, false),
            (unsigned + 1, false),
        ] {
            let text = format!("{sum:06o}\0 ");
            good.0[148..156].copy_from_slice(text.as_bytes());
            assert_eq!(good.checksum_fits(), fits, "{sum}");
        }
        good.0[148..156].fill(b'x');
        assert!(!good.checksum_fits());
    }

    #[test]
    fn digits_end_at_a_blank_and_fit_a_number() {
        assert_eq!(number(b"17 9"), Some(0o17));
        assert_eq!(number(b"17\09"), Some(0o17));
        assert_eq!(number(b"18"), None);
        assert_eq!(number(b"1777777777777777777777"), Some(u64::MAX));
        assert_eq!(number(b"2000000000000000000000"), None);
        assert_eq!(signed(b"0777777777777777777777"), Some(i64::MAX));
        assert_eq!(signed(b"1000000000000000000000"), None);
        assert_eq!(signed(b""), None);
        // The first bit says the form, the second the sign.
        assert_eq!(number(&[0x80 | 0x3f, 1]), Some((0x3f << 8) + 1));
        assert_eq!(signed(&[0xc0, 0]), Some(-(0x40 << 8)));
        assert_eq!(signed(&[0x80, 2, 1]), Some(513));
    }
}
