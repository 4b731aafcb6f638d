DROP VIEW conversation;
