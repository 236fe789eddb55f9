//! The output of benchmarks: tables of a few numbers, as Markdown and as JSON.

use serde_json::{Map, Value, json};

use super::chart::Chart;

/// One cell of a table.
#[derive(Clone, Debug)]
pub enum Cell {
    Text(String),
    /// The value and its number of decimals.
    Number(f64, usize),
    /// Not measured here.
    Nothing,
}

impl Cell {
    pub fn text(text: impl Into<String>) -> Self {
        Cell::Text(text.into())
    }

    fn shown(&self) -> String {
        match self {
            Cell::Text(text) => text.clone(),
            Cell::Number(value, decimals) => format!("{value:.decimals$}"),
            Cell::Nothing => "–".to_owned(),
        }
    }

    fn to_json(&self) -> Value {
        match self {
            Cell::Text(text) => json!(text),
            Cell::Number(value, decimals) => {
                let scale = 10_f64.powi(i32::try_from(*decimals).unwrap_or(0));
                json!((value * scale).round() / scale)
            }
            Cell::Nothing => Value::Null,
        }
    }
}

/// A table with its explanation.
#[derive(Debug)]
pub struct Table {
    pub title: String,
    pub columns: &'static [&'static str],
    pub rows: Vec<Vec<Cell>>,
    /// Lines below the table.
    pub notes: Vec<String>,
    /// Its values as pictures.
    pub charts: Vec<Chart>,
}

impl Table {
    pub fn new(title: impl Into<String>, columns: &'static [&'static str]) -> Self {
        let (rows, notes, charts) = (Vec::new(), Vec::new(), Vec::new());
        Self { title: title.into(), columns, rows, notes, charts }
    }

    pub fn note(&mut self, text: impl Into<String>) {
        self.notes.push(text.into());
    }

    /// A Markdown table with aligned columns.
    pub fn to_text(&self) -> String {
        let head = self.columns.iter().map(|&name| name.to_owned()).collect();
        let mut lines: Vec<Vec<String>> = vec![head];
        lines.extend(self.rows.iter().map(|row| row.iter().map(Cell::shown).collect()));
        let width = |at: usize| {
            lines.iter().filter_map(|line| line.get(at)).map(|cell| cell.chars().count()).max()
        };
        let widths: Vec<usize> = (0..self.columns.len()).filter_map(width).collect();
        let mut text = format!("\n## {}\n\n", self.title);
        for (at, line) in lines.iter().enumerate() {
            let cells = line.iter().zip(&widths).enumerate().map(|(at, (cell, width))| match at {
                0 => format!(" {cell:<width$} "),
                _ => format!(" {cell:>width$} "),
            });
            text.push_str(&format!("|{}|\n", cells.collect::<Vec<_>>().join("|")));
            if at == 0 {
                let rules = widths.iter().enumerate().map(|(at, width)| match at {
                    0 => "-".repeat(width + 2),
                    _ => format!("{}:", "-".repeat(width + 1)),
                });
                text.push_str(&format!("|{}|\n", rules.collect::<Vec<_>>().join("|")));
            }
        }
        for note in &self.notes {
            text.push_str(&format!("\n{note}\n"));
        }
        text
    }

    pub fn to_json(&self) -> Value {
        let row = |cells: &Vec<Cell>| {
            let members = self.columns.iter().zip(cells);
            let members = members.map(|(&name, cell)| (name.to_owned(), cell.to_json()));
            Value::Object(members.collect::<Map<_, _>>())
        };
        let rows: Vec<Value> = self.rows.iter().map(row).collect();
        json!({"title": self.title, "rows": rows, "notes": self.notes})
    }
}
