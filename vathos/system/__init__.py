"""The ground: threads, locks, forks, clocks, files. Nothing here knows OAuth."""
