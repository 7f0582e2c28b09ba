"""Studies: experiments over seeds, the records of their runs, and their statistics, tables and charts."""
