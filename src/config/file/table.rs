//! Reads a table of a TOML file key by key, and collects every fault with its line.

use std::cell::RefCell;
use std::collections::BTreeSet;
use std::ops::Range;
use std::path::Path;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use crate::config::InvalidSetting;

/// A file under inspection.
pub(super) struct Document {
    name: String,
    /// Where each line begins.
    lines: Vec<usize>,
    faults: RefCell<Vec<(usize, InvalidSetting)>>,
}

impl Document {
    pub(super) fn new(file: &Path, text: &str) -> Self {
        let breaks = text.match_indices('\n').map(|(at, _)| at + 1);
        let lines = std::iter::once(0).chain(breaks).collect();
        Self { name: file.display().to_string(), lines, faults: RefCell::default() }
    }

    /// The line of a place, from 1.
    pub(super) fn line(&self, at: usize) -> usize {
        self.lines.partition_point(|start| *start <= at)
    }

    /// Adds a fault of a key, or of the file as a whole if the key is empty.
    pub(super) fn fault(&self, at: usize, key: &str, problem: impl Into<String>) {
        let line = self.line(at);
        let place = format!("{}:{line}", self.name);
        let name = if key.is_empty() { place } else { format!("{place}: {key}") };
        self.faults.borrow_mut().push((line, InvalidSetting::new(name, problem)));
    }

    /// The faults in the order of their lines.
    pub(super) fn into_faults(self) -> Vec<InvalidSetting> {
        let mut faults = self.faults.into_inner();
        faults.sort_by_key(|(line, _)| *line);
        faults.into_iter().map(|(_, fault)| fault).collect()
    }
}

/// A value with its place.
pub(super) type Value<'d, 'i> = &'d Spanned<DeValue<'i>>;

/// A table that is read key by key.
pub(super) struct Table<'d, 'i> {
    document: &'d Document,
    /// The key of the table, e.g. `accounts[0]`; empty for the file.
    path: String,
    at: usize,
    table: &'d DeTable<'i>,
    known: BTreeSet<&'static str>,
}

impl<'d, 'i> Table<'d, 'i> {
    pub(super) fn new(
        document: &'d Document,
        path: String,
        at: Range<usize>,
        table: &'d DeTable<'i>,
    ) -> Self {
        Self { document, path, at: at.start, table, known: BTreeSet::new() }
    }

    fn key(&self, key: &str) -> String {
        if self.path.is_empty() { key.to_owned() } else { format!("{}.{key}", self.path) }
    }

    /// Where a key is; the table's head if it is absent.
    fn place(&self, key: &str) -> usize {
        self.table.get_key_value(key).map_or(self.at, |(key, _)| key.span().start)
    }

    /// Adds a fault of a key.
    pub(super) fn fault(&self, key: &str, problem: impl Into<String>) {
        let at = self.place(key);
        self.document.fault(at, &self.key(key), problem);
    }

    /// The value of a key.
    pub(super) fn value(&mut self, key: &'static str) -> Option<Value<'d, 'i>> {
        self.known.insert(key);
        self.table.get(key)
    }

    /// A key whose value has one type.
    fn typed<T>(
        &mut self,
        key: &'static str,
        wanted: &str,
        read: impl Fn(&'d DeValue<'i>) -> Option<T>,
    ) -> Option<T> {
        let value = self.value(key)?.get_ref();
        let read = read(value);
        if read.is_none() {
            self.fault(key, format!("must be {wanted}"));
        }
        read
    }

    /// A text that is not empty.
    pub(super) fn text(&mut self, key: &'static str) -> Option<&'d str> {
        self.typed(key, "a text that is not empty", |value| value.as_str().filter(|text| !text.is_empty()))
    }

    /// A text that a parser accepts.
    pub(super) fn parsed<T, E: std::fmt::Display>(
        &mut self,
        key: &'static str,
        parse: impl FnOnce(&str) -> Result<T, E>,
    ) -> Option<T> {
        let text = self.text(key)?;
        parse(text).map_err(|problem| self.fault(key, problem.to_string())).ok()
    }

    pub(super) fn flag(&mut self, key: &'static str) -> Option<bool> {
        self.typed(key, "true or false", DeValue::as_bool)
    }

    /// A whole number.
    pub(super) fn number(&mut self, key: &'static str) -> Option<u32> {
        let wanted = format!("a whole number from 0 to {}", u32::MAX);
        self.typed(key, &wanted, |value| {
            let integer = value.as_integer()?;
            u32::from_str_radix(integer.as_str(), integer.radix()).ok()
        })
    }

    /// A list of texts, each of which a parser accepts.
    pub(super) fn list<T, E: std::fmt::Display>(
        &mut self,
        key: &'static str,
        parse: impl Fn(&str) -> Result<T, E>,
    ) -> Option<Vec<T>> {
        let items = self.typed(key, "a list of texts", DeValue::as_array)?;
        if items.is_empty() {
            self.fault(key, "must have at least one item");
            return None;
        }
        let mut list = Vec::with_capacity(items.len());
        for (number, item) in items.iter().enumerate() {
            let place = self.key(&format!("{key}[{number}]"));
            let parsed = match item.get_ref().as_str() {
                Some(text) => parse(text).map_err(|problem| format!("{text:?} {problem}")),
                None => Err("must be a text".to_owned()),
            };
            match parsed {
                Ok(parsed) => list.push(parsed),
                Err(problem) => self.document.fault(item.span().start, &place, problem),
            }
        }
        (list.len() == items.len()).then_some(list)
    }

    /// A list of tables: `[[key]]`.
    pub(super) fn tables(&mut self, key: &'static str) -> Vec<Table<'d, 'i>> {
        let Some(items) = self.typed(key, "a list of tables", DeValue::as_array) else { return Vec::new() };
        let mut tables = Vec::with_capacity(items.len());
        for (number, item) in items.iter().enumerate() {
            let path = self.key(&format!("{key}[{number}]"));
            match item.get_ref().as_table() {
                Some(table) => tables.push(Table::new(self.document, path, item.span(), table)),
                None => self.document.fault(item.span().start, &path, "must be a table"),
            }
        }
        tables
    }

    /// The table at a key, if its value is one.
    pub(super) fn inner(&mut self, key: &'static str) -> Option<Table<'d, 'i>> {
        let value = self.value(key)?;
        let table = value.get_ref().as_table()?;
        Some(Table::new(self.document, self.key(key), value.span(), table))
    }

    /// The one table at a key: `[key]`.
    pub(super) fn one(&mut self, key: &'static str) -> Option<Table<'d, 'i>> {
        self.typed(key, "one table", DeValue::as_table)?;
        self.inner(key)
    }

    /// True if the key is there.
    pub(super) fn has(&self, key: &str) -> bool {
        self.table.contains_key(key)
    }

    /// True if the value of the key is a list.
    pub(super) fn is_list(&self, key: &str) -> bool {
        self.table.get(key).is_some_and(|value| value.get_ref().is_array())
    }

    /// Adds a fault if the key is absent.
    pub(super) fn require(&self, key: &str) {
        if !self.has(key) {
            self.fault(key, "is required");
        }
    }

    /// Refuses keys that were not read.
    pub(super) fn finish(self) {
        for key in self.table.keys().filter(|key| !self.known.contains(key.get_ref().as_ref())) {
            let known: Vec<&str> = self.known.iter().copied().collect();
            let problem = format!("unknown key; the keys here are {}", known.join(", "));
            self.document.fault(key.span().start, &self.key(key.get_ref()), problem);
        }
    }
}
