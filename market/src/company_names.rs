//! Names of companies, compared: what remains of a name when forms and places are taken off, and how far two names lie apart.
//!
//! Serves the patterns about false names (P148, P149, P197). Rules of the language, not of the market: they stand here and
//! not in the catalogue. Begin with [`plain`], then [`core`] and [`token`].

use unicode_normalization::UnicodeNormalization;

/// Company forms, longest first.
const FORMS: [&str; 13] = [
    "股份有限公司",
    "有限责任公司",
    "有限公司",
    "总公司",
    "分公司",
    "子公司",
    "公司",
    "集团",
    "控股",
    "中国",
    "省",
    "市",
    "区",
];

/// Provinces without their form.
const PLACES: [&str; 34] = [
    "北京",
    "天津",
    "河北",
    "山西",
    "内蒙古",
    "辽宁",
    "吉林",
    "黑龙江",
    "上海",
    "江苏",
    "浙江",
    "安徽",
    "福建",
    "江西",
    "山东",
    "河南",
    "湖北",
    "湖南",
    "广东",
    "广西",
    "海南",
    "重庆",
    "四川",
    "贵州",
    "云南",
    "西藏",
    "陕西",
    "甘肃",
    "青海",
    "宁夏",
    "新疆",
    "台湾",
    "香港",
    "澳门",
];

/// Words of a trade: the rest of a name is what people know a group by.
const TRADES: [&str; 28] = [
    "房地产",
    "建设",
    "工程",
    "建筑",
    "贸易",
    "商贸",
    "实业",
    "科技",
    "投资",
    "地产",
    "置业",
    "发展",
    "物资",
    "材料",
    "国际",
    "能源",
    "化工",
    "机械",
    "电力",
    "物流",
    "供应链",
    "保理",
    "租赁",
    "资本",
    "管理",
    "服务",
    "产业",
    "开发",
];

/// Full width to half width, without spaces and brackets.
pub fn plain(name: &str) -> String {
    name.nfkc().filter(|letter| !letter.is_whitespace() && !"()[]{}<>《》〈〉【】〔〕「」".contains(*letter)).collect()
}

fn without(mut name: String, words: &[&str]) -> String {
    for word in words {
        if name.contains(word) {
            name = name.replace(word, "");
        }
    }
    name
}

/// A plain name without company forms and places.
pub fn core(name: &str) -> String {
    without(without(plain(name), &PLACES), &FORMS)
}

/// What a group is known by: its core without words of a trade. Below two characters it says nothing: `None`.
pub fn token(core: &str) -> Option<String> {
    Some(without(core.to_owned(), &TRADES)).filter(|token| token.chars().count() >= 2)
}

/// Levenshtein distance in characters.
pub fn edits(left: &str, right: &str) -> usize {
    if left == right {
        return 0;
    }
    let right: Vec<char> = right.chars().collect();
    let mut row: Vec<usize> = (0..=right.len()).collect();
    for (place, letter) in left.chars().enumerate() {
        let mut diagonal = std::mem::replace(&mut row[0], place + 1);
        for (at, other) in right.iter().enumerate() {
            let least = (diagonal + usize::from(letter != *other)).min(row[at] + 1).min(row[at + 1] + 1);
            diagonal = std::mem::replace(&mut row[at + 1], least);
        }
    }
    row[right.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn forms_places_and_trades_come_off() {
        assert_eq!(plain("华岳建设（集团） 有限公司ＡＢ"), "华岳建设集团有限公司AB");
        assert_eq!(core("中国华岳建设（集团）股份有限公司"), "华岳建设");
        assert_eq!(token("华岳建设").as_deref(), Some("华岳"));
        assert_eq!(token("建设"), None);
        assert_eq!(core("浙江省华岳贸易有限责任公司"), "华岳贸易");
    }

    #[test]
    fn edits_are_counted_in_characters() {
        assert_eq!(edits("华岳建设", "华岳建设"), 0);
        assert_eq!(edits("华岳建设", "华嶽建设"), 1);
        assert_eq!(edits("", "华岳"), 2);
        assert_eq!(edits("kitten", "sitting"), 3);
    }
}
