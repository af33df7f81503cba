SELECT current_setting('TimeZone'), CAST('UTC' AS text)
