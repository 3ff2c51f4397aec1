//! Lists as CSV: a header with the column `phone`, and a column for each variable.
//!
//! The parser is pushed bytes and writes into buffers whose bounds are ours, so a quote that is never closed cannot fill the
//! memory.

use std::ops::Range;

use csv_core::{ReadRecordResult, Reader};

use super::decoder::{MAX_ROW_BYTES, Unreadable};
use crate::dispatch::uploads::ListRow;
use crate::dispatch::{Recipient, check_variable_name};

/// Decodes CSV.
pub(super) struct Csv {
    reader: Reader,
    /// The columns, once the header is read.
    columns: Option<Columns>,
    /// The bytes of the record, without quotes and separators.
    record: Vec<u8>,
    /// How many of those bytes are written.
    written: usize,
    /// Where each field ends.
    ends: Vec<usize>,
    /// How many fields have ended.
    fields: usize,
    /// The line on which the record begins; `None` between two records.
    begun: Option<u64>,
    /// The line of the next byte.
    line: u64,
}

/// What the columns hold.
struct Columns {
    /// The place of the phone.
    phone: usize,
    /// The names of all columns.
    names: Vec<String>,
}

/// The most columns; users have far fewer variables, but not all columns are filled in every row.
const MAX_COLUMNS: usize = 1_000;

/// The first size of the buffer for a record.
const RECORD_BYTES: usize = 4_096;

const HINT: &str = "; perhaps a quote is not closed";

impl Default for Csv {
    fn default() -> Self {
        let mut reader = Reader::new();
        // The parser would leave out a byte order mark at the beginning of its first input, but only if that holds all of
        // it. So its first input is an empty line, which means nothing.
        reader.read_record(b"\n", &mut [0], &mut [0]);
        let (record, ends) = (vec![0; RECORD_BYTES], vec![0; MAX_COLUMNS]);
        Self { reader, columns: None, record, written: 0, ends, fields: 0, begun: None, line: 1 }
    }
}

impl Csv {
    pub(super) fn push(&mut self, mut bytes: &[u8], rows: &mut Vec<ListRow>) -> Result<(), Unreadable> {
        while let Some(rest) = self.skip_between(bytes) {
            let (result, read) = self.read(rest)?;
            bytes = rest.get(read..).unwrap_or_default();
            if result == ReadRecordResult::Record {
                self.end_record(rows)?;
            }
        }
        Ok(())
    }

    pub(super) fn finish(&mut self, rows: &mut Vec<ListRow>) -> Result<(), Unreadable> {
        let Some(line) = self.begun else {
            let missing = Unreadable::malformed(1, "the header is missing");
            return self.columns.as_ref().map(drop).ok_or(missing);
        };
        // The end of a line ends a record, except within quotes.
        while self.begun.is_some() {
            match self.read(b"\n")? {
                (ReadRecordResult::Record, _) => self.end_record(rows)?,
                (_, 0) => {}
                _ => return Err(Unreadable::malformed(line, "a quote is not closed")),
            }
        }
        if self.columns.is_none() { Err(Unreadable::malformed(line, "the header is missing")) } else { Ok(()) }
    }

    /// What is left behind the ends of lines between two records; `None` if nothing is.
    fn skip_between<'b>(&mut self, bytes: &'b [u8]) -> Option<&'b [u8]> {
        let mut rest = bytes;
        while self.begun.is_none()
            && let Some((first, behind)) = rest.split_first()
        {
            match first {
                b'\r' | b'\n' => {
                    self.line += u64::from(*first == b'\n');
                    rest = behind;
                }
                _ => self.begun = Some(self.line),
            }
        }
        (!rest.is_empty()).then_some(rest)
    }

    /// Reads bytes of a record. Returns how many.
    fn read(&mut self, bytes: &[u8]) -> Result<(ReadRecordResult, usize), Unreadable> {
        let (record, ends) = (self.record.get_mut(self.written..), self.ends.get_mut(self.fields..));
        let (result, read, written, fields) =
            self.reader.read_record(bytes, record.unwrap_or_default(), ends.unwrap_or_default());
        let ended = bytes.get(..read).unwrap_or_default().iter().filter(|byte| **byte == b'\n');
        self.line += ended.map(|_| 1).sum::<u64>();
        self.written += written;
        self.fields += fields;
        let line = self.begun.unwrap_or(self.line);
        match result {
            ReadRecordResult::OutputFull if self.record.len() >= MAX_ROW_BYTES => Err(Unreadable::too_long(line, HINT)),
            ReadRecordResult::OutputFull => {
                self.record.resize(self.record.len() * 2, 0);
                Ok((result, read))
            }
            ReadRecordResult::OutputEndsFull => {
                Err(Unreadable::malformed(line, &format!("the row has more than {MAX_COLUMNS} columns")))
            }
            _ => Ok((result, read)),
        }
    }

    fn end_record(&mut self, rows: &mut Vec<ListRow>) -> Result<(), Unreadable> {
        let line = self.begun.take().unwrap_or(self.line);
        match &self.columns {
            Some(columns) => rows.push(ListRow { line, user: self.user(columns) }),
            None => self.columns = Some(self.header().map_err(|what| Unreadable::malformed(line, &what))?),
        }
        (self.written, self.fields) = (0, 0);
        Ok(())
    }

    fn user(&self, columns: &Columns) -> Result<Recipient, String> {
        if self.fields != columns.names.len() {
            return Err(format!("the row has {} fields, and the header {}", self.fields, columns.names.len()));
        }
        let mut user = Recipient { phone: String::new(), variables: Vec::new() };
        for (at, (field, name)) in self.texts()?.into_iter().zip(&columns.names).enumerate() {
            if at == columns.phone {
                field.clone_into(&mut user.phone);
            } else if !field.is_empty() {
                // CSV cannot tell an empty value from none; and no template takes an empty one.
                user.variables.push((name.clone(), field.to_owned()));
            }
        }
        Ok(user)
    }

    fn header(&self) -> Result<Columns, String> {
        let names: Vec<_> = self.texts()?.into_iter().map(|name| name.trim().to_owned()).collect();
        for (at, name) in names.iter().enumerate() {
            check_variable_name(name).map_err(|fault| format!("the name of column {} {fault}", at + 1))?;
            if names.iter().skip(at + 1).any(|other| other == name) {
                return Err(format!("the header has the column {name:?} twice"));
            }
        }
        let phone = names.iter().position(|name| name == "phone");
        let phone = phone.ok_or("the header has no column \"phone\"; columns are separated by commas")?;
        Ok(Columns { phone, names })
    }

    /// The fields of the record.
    fn texts(&self) -> Result<Vec<&str>, String> {
        let mut begin = 0;
        let ends = self.ends.get(..self.fields).unwrap_or_default();
        let text = |end: &usize| {
            let field: Range<usize> = std::mem::replace(&mut begin, *end)..*end;
            std::str::from_utf8(self.record.get(field).unwrap_or_default())
        };
        ends.iter().map(text).collect::<Result<_, _>>().map_err(|_| "the row is not UTF-8".to_owned())
    }
}
