//! The products that readers know, as `knowledge/products.yaml` lists them, read once.

use pack::Product;
use std::sync::OnceLock;

pub(crate) fn products() -> &'static [Product] {
    static PRODUCTS: OnceLock<Vec<Product>> = OnceLock::new();
    PRODUCTS.get_or_init(pack::products)
}
