//! CSV, by default with cells that a spreadsheet shows and does not run.

use std::borrow::Cow;

use crate::domain::text::escaped;

/// A byte order mark in UTF-8: Excel reads a file as UTF-8 only with it.
pub const BYTE_ORDER_MARK: &str = "\u{feff}";

/// How CSV is written.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Cells {
    /// Values as they are. A spreadsheet runs the ones that it takes for formulas.
    pub raw: bool,
    /// Begin with [`BYTE_ORDER_MARK`].
    pub byte_order_mark: bool,
}

impl Cells {
    /// A record with its line end.
    #[must_use]
    pub fn record<T: AsRef<str>>(self, cells: &[T]) -> Vec<u8> {
        let mut writer = csv::Writer::from_writer(Vec::new());
        let cells = cells.iter().map(|cell| match self.raw {
            true => Cow::Borrowed(cell.as_ref()),
            false => safe(cell.as_ref()),
        });
        // Writing to memory does not fail.
        let _ = writer.write_record(cells.map(|cell| cell.into_owned().into_bytes()));
        writer.into_inner().unwrap_or_default()
    }

    /// The first bytes of the file.
    #[must_use]
    pub fn start(self) -> Vec<u8> {
        if self.byte_order_mark { BYTE_ORDER_MARK.as_bytes().to_vec() } else { Vec::new() }
    }
}

/// A cell that a spreadsheet takes for text: a quotation mark goes before the characters that begin a formula, full-width forms
/// included, and before a quotation mark, so that removing one restores the value. Line and direction controls become
/// visible.
fn safe(cell: &str) -> Cow<'_, str> {
    let begins_formula =
        |c: char| matches!(c, '=' | '+' | '-' | '@' | '\t' | '\r' | '\n' | '\'' | '＝' | '＋' | '－' | '＠');
    let shown = escaped(cell);
    if shown.starts_with(begins_formula) { Cow::Owned(format!("'{shown}")) } else { shown }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cell_is_a_text_for_a_spreadsheet() {
        for (value, cell) in [
            ("=HYPERLINK(\"http://a\")", "'=HYPERLINK(\"http://a\")"),
            ("+1", "'+1"),
            ("-2+3", "'-2+3"),
            ("@SUM(A1)", "'@SUM(A1)"),
            ("\t=1", "'\t=1"),
            ("\r=1", "'\r=1"),
            ("＝1", "'＝1"),
            ("'=1", "''=1"),
            ("a=1", "a=1"),
            ("", ""),
            ("netops\u{202e}ic", "netops\\u202eic"),
        ] {
            assert_eq!(safe(value), cell);
        }
    }

    #[test]
    fn raw_cells_are_the_values() {
        let raw = Cells { raw: true, byte_order_mark: true };
        assert_eq!(raw.record(&["=1", "a,b"]), b"=1,\"a,b\"\n");
        assert_eq!(Cells::default().record(&["=1", "a,b"]), b"'=1,\"a,b\"\n");
        assert_eq!(raw.start(), b"\xef\xbb\xbf");
        assert_eq!(Cells::default().start(), b"");
    }
}
