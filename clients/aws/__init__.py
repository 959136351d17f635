"""The only importer of boto3."""
