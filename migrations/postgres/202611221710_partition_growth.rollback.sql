DROP TABLE partition_growth;
