//! The categories of connections that the service knows (ARM reference, section 4). It is an open list.

/// The spelling of a category that the service answers: its own for a known one, the sender's for any other.
pub(crate) fn canonical(category: &str) -> &str {
    KNOWN.into_iter().find(|known| known.eq_ignore_ascii_case(category)).unwrap_or(category)
}

/// The group that a connection of this category is shown in. Recorded is only `AzureAI` for `AzureOpenAI`; the rest is
/// an assumption.
pub(crate) fn group(category: &str) -> &'static str {
    match category {
        "AzureOpenAI" | "AIServices" | "CognitiveSearch" | "CognitiveService" => "AzureAI",
        "AzureBlob" | "AzureStorageAccount" | "ADLSGen2" | "AzureOneLake" | "S3" => "File",
        "CosmosDb" | "CosmosDbMongoDbApi" | "MongoDbV2" | "MongoDbAtlas" | "Cassandra" => "NoSQL",
        "AzureSqlDb" | "AzureMySqlDb" | "AzurePostgresDb" | "Snowflake" | "Databricks" => "Database",
        "GenericHttp" | "GenericRest" => "GenericProtocol",
        _ => "ServicesAndApps",
    }
}

const KNOWN: [&str; 120] = [
    "PythonFeed",
    "ContainerRegistry",
    "Git",
    "S3",
    "Snowflake",
    "AzureKeyVault",
    "AzureSqlDb",
    "AzureSynapseAnalytics",
    "AzureMySqlDb",
    "AzurePostgresDb",
    "ADLSGen2",
    "AzureContainerAppEnvironment",
    "Redis",
    "ApiKey",
    "AzureOpenAI",
    "AIServices",
    "CognitiveSearch",
    "CognitiveService",
    "CustomKeys",
    "AzureBlob",
    "AzureStorageAccount",
    "AzureOneLake",
    "CosmosDb",
    "CosmosDbMongoDbApi",
    "AzureDataExplorer",
    "AzureMariaDb",
    "AzureDatabricksDeltaLake",
    "AzureSqlMi",
    "AzureTableStorage",
    "AmazonRdsForOracle",
    "AmazonRdsForSqlServer",
    "AmazonRedshift",
    "Db2",
    "Drill",
    "GoogleBigQuery",
    "Greenplum",
    "Hbase",
    "Hive",
    "Impala",
    "Informix",
    "MariaDb",
    "MicrosoftAccess",
    "MySql",
    "Netezza",
    "Oracle",
    "Phoenix",
    "PostgreSql",
    "Presto",
    "SapOpenHub",
    "SapBw",
    "SapHana",
    "SapTable",
    "Spark",
    "SqlServer",
    "Sybase",
    "Teradata",
    "Vertica",
    "Pinecone",
    "Databricks",
    "Cassandra",
    "Couchbase",
    "MongoDbV2",
    "MongoDbAtlas",
    "AmazonS3Compatible",
    "FileServer",
    "FtpServer",
    "GoogleCloudStorage",
    "Hdfs",
    "OracleCloudStorage",
    "Sftp",
    "GenericHttp",
    "ODataRest",
    "Odbc",
    "GenericRest",
    "RemoteTool",
    "AmazonMws",
    "Concur",
    "Dynamics",
    "DynamicsAx",
    "DynamicsCrm",
    "GoogleAdWords",
    "Hubspot",
    "Jira",
    "Magento",
    "Marketo",
    "Office365",
    "Eloqua",
    "Responsys",
    "OracleServiceCloud",
    "PayPal",
    "QuickBooks",
    "Salesforce",
    "SalesforceServiceCloud",
    "SalesforceMarketingCloud",
    "SapCloudForCustomer",
    "SapEcc",
    "ServiceNow",
    "SharePointOnlineList",
    "Shopify",
    "Square",
    "WebTable",
    "Xero",
    "Zoho",
    "GenericContainerRegistry",
    "Elasticsearch",
    "AppInsights",
    "AppConfig",
    "OpenAI",
    "Serp",
    "BingLLMSearch",
    "Serverless",
    "ManagedOnlineEndpoint",
    "ApiManagement",
    "ModelGateway",
    "GroundingWithBingSearch",
    "GroundingWithCustomSearch",
    "Sharepoint",
    "MicrosoftFabric",
    "PowerPlatformEnvironment",
    "RemoteA2A",
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn known_categories_get_their_own_spelling() {
        assert_eq!(canonical("AzureOpenAi"), "AzureOpenAI");
        assert_eq!(canonical("CUSTOMKEYS"), "CustomKeys");
    }

    #[test]
    fn unknown_categories_are_kept() {
        assert_eq!(canonical("SomethingNew"), "SomethingNew");
    }
}
