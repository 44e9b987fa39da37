//! Which sector buys from which (`trade_matrix.csv`): 2 common, 1 possible, 0 implausible.

use hashbrown::HashMap;

use super::{
    enums::Enums,
    table::{CatalogueError, Distinct, Row, read_rows},
};
use crate::ids::Code;

pub(super) const FILE: &str = "trade_matrix.csv";

/// Weights of pairs (drawer = buyer, payee = supplier) of GB/T 4754 sections.
#[derive(Clone, PartialEq, Eq, Default, Debug)]
pub struct TradeMatrix {
    weights: HashMap<(Code, Code), u8>,
}

impl TradeMatrix {
    pub(super) fn read(text: &str, enums: &Enums) -> Result<Self, CatalogueError> {
        let mut matrix = TradeMatrix::default();
        let mut distinct = Distinct::default();
        read_rows(FILE, text, &["drawer_section", "payee_section", "weight"], |row| {
            let drawer = section(row, enums, "drawer_section")?;
            let payee = section(row, enums, "payee_section")?;
            distinct.take(row, "payee_section", &format!("{drawer}:{payee}"))?;
            let weight = match row.filled("weight")? {
                "0" => 0,
                "1" => 1,
                "2" => 2,
                _ => return Err(row.error("weight", "write 0, 1 or 2")),
            };
            matrix.weights.insert((drawer, payee), weight);
            Ok(())
        })?;
        Ok(matrix)
    }

    /// 2 common, 1 possible, 0 implausible; `None` for a section that the table does not know.
    pub fn weight(&self, drawer_section: Code, payee_section: Code) -> Option<u8> {
        self.weights.get(&(drawer_section, payee_section)).copied()
    }
}

fn section(row: &Row, enums: &Enums, column: &str) -> Result<Code, CatalogueError> {
    enums.require_item(row, column, row.filled(column)?, "industry_section")?;
    Code::parse(row.get(column)).ok_or_else(|| row.error(column, "write a section letter"))
}
