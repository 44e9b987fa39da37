//! `CatalogueService`: what the product knows of the market.

use std::sync::Arc;

use billwatch_market::{
    catalogue::{Catalogue, listing},
    items::MissingEnumeration,
};
use billwatch_proto::v1::{self, catalogue_service_server::CatalogueService};
use tonic::{Request, Response, Status};

/// The service: the listing is made once.
#[derive(Clone)]
pub struct CatalogueApi {
    json: Arc<str>,
    fingerprint: u64,
}

impl CatalogueApi {
    /// Lists the catalogue, and what of it the engine runs. The error names an enumeration that is missing.
    pub fn new(catalogue: &Arc<Catalogue>) -> Result<Self, MissingEnumeration> {
        let json = serde_json::to_string(&listing::of_engine(catalogue)?).expect("a listing has a JSON form");
        Ok(CatalogueApi { json: json.into(), fingerprint: catalogue.fingerprint() })
    }
}

#[tonic::async_trait]
impl CatalogueService for CatalogueApi {
    async fn get_catalogue(
        &self,
        _: Request<v1::GetCatalogueRequest>,
    ) -> Result<Response<v1::GetCatalogueResponse>, Status> {
        let response = v1::GetCatalogueResponse { json: self.json.to_string(), fingerprint: self.fingerprint };
        Ok(Response::new(response))
    }
}
